// The rules of docs/specification.md. Nothing here reads a clock or a socket. Times are milliseconds.

package main

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A line of a header.
type line [2]string

// problem is a request that is answered with a problem document.
type problem struct {
	kind    string
	members map[string]any
}

var titles = map[string]struct {
	status int
	title  string
}{
	"deadline-exceeded": {504, "Deadline exceeded"},
	"draining":          {503, "Server draining"},
	"overloaded":        {503, "Server overloaded"},
	"invalid-deadline":  {400, "Invalid deadline"},
	"invalid-header":    {400, "Invalid header"},
}

// response returns the status, the outcome header, which may be empty, and the document of the answer.
func (p problem) response(started bool) (int, string, map[string]any) {
	of := titles[p.kind]
	document := map[string]any{"type": "urn:throughline:problem:" + p.kind, "title": of.title, "status": of.status}
	for name, value := range p.members {
		document[name] = value
	}
	if of.status < 500 {
		return of.status, "", document
	}
	digit := 0
	if started {
		digit = 1
	}
	return of.status, fmt.Sprintf("%s;started=?%d", p.kind, digit), document
}

var outcomeGrammar = regexp.MustCompile(`\A(deadline-exceeded|draining|overloaded);started=\?([01])\z`)

// readOutcome returns what a service says of its response, and whether a handler had begun; empty for other responses.
func readOutcome(value string) (outcome string, started bool) {
	match := outcomeGrammar.FindStringSubmatch(value)
	if match == nil {
		return "", true
	}
	return match[1], match[2] == "1"
}

var idempotent = map[string]bool{
	"GET": true, "HEAD": true, "OPTIONS": true, "PUT": true, "DELETE": true, "TRACE": true, "QUERY": true,
}

// mayRepeat says whether a client may send the request again after this response.
func mayRepeat(method string, status int, outcome string, hasKey bool) bool {
	kind, started := readOutcome(outcome)
	isTransient := status == 429 || status == 502 || status == 503 || status == 504
	return isTransient && kind != "deadline-exceeded" && (idempotent[method] || hasKey || !started)
}

// A dialect is a deadline header, with its reader and its writer.
type dialect struct {
	header string
	read   func(string) (float64, bool)
	write  func(float64) string
}

var units = map[byte]float64{'H': 3600000, 'M': 60000, 'S': 1000, 'm': 1, 'u': 1e-3, 'n': 1e-6}

func readDigits(value string, most int) (float64, bool) {
	if len(value) < 1 || len(value) > most || strings.Trim(value, "0123456789") != "" {
		return 0, false
	}
	number, err := strconv.ParseFloat(value, 64)
	return number, err == nil
}

func readGrpc(value string) (float64, bool) {
	last := len(value) - 1
	if last < 1 || units[value[last]] == 0 {
		return 0, false
	}
	count, ok := readDigits(value[:last], 8)
	return count * units[value[last]], ok
}

func writeGrpc(ms float64) string {
	for _, unit := range "mSMH" {
		count := math.Floor(ms / units[byte(unit)])
		if count <= 99999999 || unit == 'H' {
			return fmt.Sprintf("%.0f%c", math.Min(count, 99999999), unit)
		}
	}
	panic("not reached")
}

func whole(header string, digits int) dialect {
	return dialect{
		header,
		func(value string) (float64, bool) { return readDigits(value, digits) },
		func(ms float64) string { return fmt.Sprintf("%.0f", math.Min(math.Floor(ms), math.Pow10(digits)-1)) },
	}
}

// The deadline headers that a server reads.
var dialects = []dialect{
	{"grpc-timeout", readGrpc, writeGrpc},
	whole("connect-timeout-ms", 10),
	whole("x-envoy-expected-rq-timeout-ms", 15),
}

func linesOf(headers []line, name string) []string {
	var lines []string
	for _, each := range headers {
		if strings.EqualFold(each[0], name) {
			lines = append(lines, each[1])
		}
	}
	return lines
}

// serverOptions are the limits of a server. Infinity stands for none.
type serverOptions struct {
	initial, most, least float64
	ignoreInvalid        bool
}

var defaults = serverOptions{initial: math.Inf(1), most: math.Inf(1), least: 1}

// receiveDeadline returns the time that a request may take, and what set it; infinity without a limit.
func receiveDeadline(headers []line, options serverOptions) (float64, string, *problem) {
	budget, source, invalid := math.Inf(1), "", ""
	for _, each := range dialects {
		lines := linesOf(headers, each.header)
		if len(lines) == 0 {
			continue
		}
		ms, ok := each.read(lines[0])
		if ok = ok && len(lines) == 1; !ok && invalid == "" {
			invalid = each.header
		} else if ok && (source == "" || ms < budget) {
			budget, source = ms, each.header+" header"
		}
	}
	if invalid != "" && !options.ignoreInvalid {
		return 0, "", &problem{"invalid-deadline", map[string]any{"detail": "Cannot read the header " + invalid}}
	}
	if source == "" && !math.IsInf(options.initial, 1) {
		budget, source = options.initial, "defaultTimeout"
	}
	if options.most < budget {
		budget, source = options.most, "maxTimeout"
	}
	if budget <= 0 || budget < options.least {
		members := map[string]any{"budgetMs": math.Round(budget), "elapsedMs": 0, "setBy": source}
		return 0, "", &problem{"deadline-exceeded", members}
	}
	return budget, source, nil
}

// sendDeadline returns the value of the deadline header for another service: empty without a limit. If the result is
// false, no request may be sent.
func sendDeadline(left, margin float64, to dialect) (string, bool) {
	if math.IsInf(left, 1) {
		return "", true
	}
	ms := math.Floor(left - margin)
	if ms < 1 {
		return "", false
	}
	return to.write(ms), true
}

func receiveCriticality(headers []line, accept string, trusted bool) string {
	lines := linesOf(headers, "throughline-criticality")
	if len(lines) != 1 || accept == "none" {
		return "default"
	}
	if lines[0] == "sheddable" || (lines[0] == "critical" && (trusted || accept == "any")) {
		return lines[0]
	}
	return "default"
}

// declared is a value that services pass on to each other.
type declared struct {
	Name, As, Accept string
	MaxBytes         int
}

func writeValue(value, as string) string {
	var text strings.Builder
	for _, each := range []byte(value) {
		isLetter := each >= 'a' && each <= 'z' || each >= 'A' && each <= 'Z' || each >= '0' && each <= '9'
		isSafe := as == "baggage" && strings.IndexByte("-_.!~*'()", each) >= 0 ||
			as == "header" && each > ' ' && each < 0x7f && each != '%' && each != ','
		if isLetter || isSafe {
			text.WriteByte(each)
		} else {
			fmt.Fprintf(&text, "%%%02X", each)
		}
	}
	return text.String()
}

func readValue(text string, of declared) (string, bool) {
	value, err := url.PathUnescape(text)
	if err != nil || len(text) > of.MaxBytes || !utf8.ValidString(value) || (value == "" && of.As == "header") {
		return "", false
	}
	return value, len(writeValue(value, of.As)) <= of.MaxBytes
}

var (
	separators = regexp.MustCompile(`[^a-z0-9]+`)
	member     = regexp.MustCompile("\\A([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*" +
		"(?:([\x21\x23-\x2b\x2d-\x3a\x3c-\\x5b\\x5d-\x7e]+)[ \t]*)?(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\\z")
)

// folded returns the same for names that a gateway may confuse.
func folded(name string) string {
	short := separators.ReplaceAllString(strings.ToLower(name), "")
	if len(short) > 4 {
		return strings.TrimPrefix(short, "http")
	}
	return short
}

// receiveValues returns the values that the peer may set, and the headers that the application may see.
func receiveValues(headers []line, all []declared, trusted bool) (map[string]string, map[string]string, *problem) {
	accepted, names := map[string]declared{}, map[string]string{}
	for _, each := range all {
		if trusted || each.Accept == "anyone" {
			accepted[each.Name] = each
		}
		if each.As == "header" {
			names[folded(each.Name)] = each.Name
		}
	}
	bound, kept := map[string]string{}, map[string]string{}
	for _, each := range headers {
		name := strings.ToLower(each[0])
		known, isKnown := names[folded(name)]
		of, isAccepted := accepted[name]
		if isKnown && (known != name || !isAccepted) {
			continue
		}
		lines := linesOf(headers, name)
		kept[name] = strings.Join(lines, ", ")
		if !isKnown {
			continue
		}
		if strings.Contains(kept[name], ",") {
			return nil, nil, &problem{"invalid-header", map[string]any{"detail": "Cannot read the header " + name}}
		}
		if value, ok := readValue(lines[0], of); ok {
			bound[name] = value
		}
	}
	var texts []string
	times := map[string]int{}
	for index, text := range strings.Split(kept["baggage"], ",") {
		match := member.FindStringSubmatch(strings.Trim(text, " \t"))
		if match == nil || index >= 180 || len(kept["baggage"]) > 8192 {
			continue
		}
		of, isAccepted := accepted[match[1]]
		if !isAccepted || of.As != "baggage" {
			continue
		}
		texts = append(texts, match[0])
		times[match[1]]++
		if value, ok := readValue(match[2], of); ok && times[match[1]] == 1 {
			bound[match[1]] = value
		} else {
			delete(bound, match[1])
		}
	}
	if !trusted {
		kept["baggage"] = strings.Join(texts, ",")
	}
	if kept["baggage"] == "" {
		delete(kept, "baggage")
	}
	return bound, kept, nil
}

// readMessageDeadline reads the deadline of a message, in milliseconds since the epoch.
func readMessageDeadline(value string) (float64, bool) {
	at, ok := readDigits(value, 16)
	return at, ok && at <= 8640000000000000
}

func writeMessageDeadline(at float64) string {
	return fmt.Sprintf("%.0f", math.Max(0, math.Floor(at)))
}

// messageLeft returns the time that the consumer of a message has; 0 if the message must be dropped.
func messageLeft(value string, now, most float64) float64 {
	if at, ok := readMessageDeadline(value); ok {
		return math.Min(most, math.Max(0, at-now))
	}
	return most
}
