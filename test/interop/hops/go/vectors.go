package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
)

var passed, failed int

// check compares the values as JSON has them.
func check(vector any, received, wanted any) {
	if reflect.DeepEqual(plain(received), plain(wanted)) {
		passed++
		return
	}
	failed++
	text, _ := json.Marshal([]any{vector, received})
	fmt.Fprintf(os.Stderr, "vector, received: %s\n", text)
}

func plain(value any) (result any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil {
		panic(err)
	}
	return result
}

func load(folder, name string, into any) {
	text, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(err)
	}
}

// orNull returns null in place of a value that is absent. Times are rounded, so that they compare equal.
func orNull(value any, ok bool) any {
	if ms, isTime := value.(float64); isTime && ok {
		return math.Round(ms*1e9) / 1e9
	}
	if !ok {
		return nil
	}
	return value
}

type requestVector struct {
	Headers []line
	Server  struct {
		MaxTimeoutMs, DefaultTimeoutMs, MinBudgetMs *float64
		InvalidDeadline                             string
	}
	Expect              map[string]any
	ElapsedMs, MarginMs float64
	Header              string
	Sent                map[string]string
}

func (v requestVector) receive() (float64, string, *problem) {
	options := defaults
	options.ignoreInvalid = v.Server.InvalidDeadline == "ignore"
	for from, to := range map[*float64]*float64{
		v.Server.MaxTimeoutMs: &options.most, v.Server.DefaultTimeoutMs: &options.initial, v.Server.MinBudgetMs: &options.least,
	} {
		if from != nil {
			*to = *from
		}
	}
	return receiveDeadline(v.Headers, options)
}

func (v requestVector) result() map[string]any {
	budget, source, refused := v.receive()
	if refused != nil {
		status, outcome, document := refused.response(false)
		result := map[string]any{"status": status, "outcome": orNull(outcome, outcome != "")}
		for _, name := range []string{"type", "budgetMs", "setBy"} {
			if value, ok := document[name]; ok {
				result[name] = value
			}
		}
		return result
	}
	result := map[string]any{"budgetMs": orNull(budget, !math.IsInf(budget, 1))}
	if source != "" {
		result["setBy"] = source
	}
	return result
}

func (v requestVector) forward() map[string]string {
	budget, _, _ := v.receive()
	for _, each := range dialects {
		if each.header != v.Header && (v.Header != "" || each.header != "grpc-timeout") {
			continue
		}
		value, ok := sendDeadline(budget-v.ElapsedMs, v.MarginMs, each)
		if !ok {
			return nil
		}
		if value == "" {
			return map[string]string{}
		}
		return map[string]string{each.header: value}
	}
	panic("no such header: " + v.Header)
}

// runVectors runs the vectors of a folder. It prints each failure, and then the counts as JSON.
func runVectors(folder string) {
	var deadlines struct {
		Read, Write []struct {
			Header, Value string
			Ms            *float64
		}
	}
	load(folder, "deadline-headers", &deadlines)
	for _, to := range dialects {
		for _, each := range deadlines.Read {
			if each.Header == to.header {
				ms, ok := to.read(each.Value)
				check(each, orNull(ms, ok), each.Ms)
			}
		}
		for _, each := range deadlines.Write {
			if each.Header == to.header {
				check(each, to.write(*each.Ms), each.Value)
			}
		}
	}

	var requests, forwarding []requestVector
	load(folder, "requests", &requests)
	for _, each := range requests {
		check(each, each.result(), each.Expect)
	}
	load(folder, "forwarding", &forwarding)
	for _, each := range forwarding {
		check(each, each.forward(), each.Sent)
	}

	var levels []struct {
		Headers       []line
		Accept, Bound string
		Trusted       bool
		Sent          *string
	}
	load(folder, "criticality", &levels)
	for _, each := range levels {
		bound := receiveCriticality(each.Headers, each.Accept, each.Trusted)
		check(each, []any{bound, orNull(bound, bound != "default")}, []any{each.Bound, each.Sent})
	}

	var values struct {
		Declared []declared
		Written  []struct{ As, Value, Text string }
		Requests []struct {
			Headers     []line
			Trusted     bool
			Bound, Kept map[string]string
			Status      int
			Type        string
		}
	}
	load(folder, "values", &values)
	for _, each := range values.Written {
		check(each, writeValue(each.Value, each.As), each.Text)
	}
	for _, each := range values.Requests {
		bound, kept, refused := receiveValues(each.Headers, values.Declared, each.Trusted)
		if refused == nil {
			check(each, []any{bound, kept}, []any{each.Bound, each.Kept})
		} else {
			status, _, document := refused.response(false)
			check(each, []any{status, document["type"]}, []any{each.Status, each.Type})
		}
	}

	var outcomes struct {
		Read []struct {
			Value, Outcome *string
			Started        *bool
		}
		Problems []struct {
			Problem, Title string
			Started        bool
			Status         int
			Outcome        *string
		}
		Retries []struct {
			Method                string
			Status                int
			Outcome               *string
			IdempotencyKey, Retry bool
		}
	}
	load(folder, "outcomes", &outcomes)
	text := func(value *string) string {
		if value == nil {
			return ""
		}
		return *value
	}
	for _, each := range outcomes.Read {
		outcome, started := readOutcome(text(each.Value))
		check(each, []any{orNull(outcome, outcome != ""), orNull(started, outcome != "")}, []any{each.Outcome, each.Started})
	}
	for _, each := range outcomes.Problems {
		status, outcome, document := problem{kind: each.Problem}.response(each.Started)
		wanted := []any{each.Status, each.Title, "urn:throughline:problem:" + each.Problem, each.Outcome}
		check(each, []any{status, document["title"], document["type"], orNull(outcome, outcome != "")}, wanted)
	}
	for _, each := range outcomes.Retries {
		check(each, mayRepeat(each.Method, each.Status, text(each.Outcome), each.IdempotencyKey), each.Retry)
	}

	var messages struct {
		Read, Write []struct {
			Value string
			At    *float64
		}
		Consume []struct {
			Value                     *string
			NowMs                     float64
			MaxTimeoutMs, RemainingMs *float64
		}
	}
	load(folder, "messages", &messages)
	for _, each := range messages.Read {
		at, ok := readMessageDeadline(each.Value)
		check(each, orNull(at, ok), each.At)
	}
	for _, each := range messages.Write {
		check(each, writeMessageDeadline(*each.At), each.Value)
	}
	for _, each := range messages.Consume {
		most := math.Inf(1)
		if each.MaxTimeoutMs != nil {
			most = *each.MaxTimeoutMs
		}
		left := messageLeft(text(each.Value), each.NowMs, most)
		check(each, orNull(left, !math.IsInf(left, 1)), each.RemainingMs)
	}
	fmt.Printf("{\"passed\":%d,\"failed\":%d}\n", passed, failed)
}
