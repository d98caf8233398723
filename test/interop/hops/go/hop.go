// A service that calls the next one: `serve <url of the next> <margin in ms> [<largest timeout in ms>]`. With `vectors
// <folder>` it runs the vectors of the specification.

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"
)

var (
	trusted     = map[string]bool{"127.0.0.1": true}
	values      = []declared{{Name: "tenant", As: "baggage", Accept: "trusted", MaxBytes: 64}}
	traceparent = regexp.MustCompile(`\A00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\z`)
	client      = http.Client{
		Transport: &http.Transport{},
		// A redirect would be sent the headers of the first request.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
)

type hop struct {
	next    string
	margin  float64
	options serverOptions
}

func (h hop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	var lines []line
	for name, all := range r.Header {
		for _, value := range all {
			lines = append(lines, line{name, value})
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	budget, source, refused := receiveDeadline(lines, h.options)
	bound, _, invalid := receiveValues(lines, values, trusted[host])
	if invalid != nil {
		refused = invalid
	}
	if refused != nil {
		status, outcome, document := refused.response(false)
		answer(w, status, outcome, document)
		return
	}
	ctx, cancel := r.Context(), func() {} // ends when the client leaves
	left := budget - float64(time.Since(arrived))/1e6
	if budget < float64(math.MaxInt64)/1e6 {
		ctx, cancel = context.WithDeadline(ctx, arrived.Add(time.Duration(budget*1e6)))
	}
	defer cancel()
	level := receiveCriticality(lines, "lower", trusted[host])
	traceID, parent, flags := randomHex(16), any(nil), "02"
	if match := traceparent.FindStringSubmatch(r.Header.Get("traceparent")); match != nil {
		traceID, parent, flags = match[1], match[2], match[3]
	}
	called, err := h.call(ctx, r.URL.Path, left, map[string]string{
		"traceparent":             fmt.Sprintf("00-%s-%s-%s", traceID, randomHex(8), flags),
		"throughline-criticality": map[string]string{"sheddable": level, "critical": level}[level],
		"baggage":                 baggageOf(bound),
	})
	if errors.Is(err, context.DeadlineExceeded) {
		members := map[string]any{"budgetMs": math.Round(budget), "setBy": source}
		status, outcome, document := problem{"deadline-exceeded", members}.response(true)
		answer(w, status, outcome, document)
	} else if err == nil {
		status := http.StatusBadGateway
		if called["status"] == http.StatusOK {
			status = http.StatusOK
		}
		answer(w, status, "", map[string]any{
			"service": "Go", "budgetMs": orNull(budget, !math.IsInf(budget, 1)), "setBy": source, "traceId": traceID,
			"parent": parent, "criticality": level, "tenant": bound["tenant"], "next": called,
		})
	} else if r.Context().Err() == nil {
		answer(w, http.StatusBadGateway, "", map[string]any{"service": "Go", "error": err.Error()})
	}
}

// call calls the next service. It stops when the context ends.
func (h hop) call(ctx context.Context, path string, left float64, headers map[string]string) (map[string]any, error) {
	timeout, ok := sendDeadline(left, h.margin, dialects[0])
	if !ok {
		return nil, context.DeadlineExceeded
	}
	request, err := http.NewRequestWithContext(ctx, "GET", h.next+path, nil)
	if err != nil {
		return nil, err
	}
	headers["grpc-timeout"] = timeout
	for name, value := range headers {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var body any
	_ = json.Unmarshal(text, &body)
	outcome := response.Header.Get("throughline-outcome")
	return map[string]any{"status": response.StatusCode, "outcome": orNull(outcome, outcome != ""), "body": body}, nil
}

func baggageOf(bound map[string]string) string {
	if tenant, ok := bound["tenant"]; ok {
		return "tenant=" + writeValue(tenant, "baggage")
	}
	return ""
}

func answer(w http.ResponseWriter, status int, outcome string, document map[string]any) {
	w.Header().Set("content-type", "application/json")
	if _, isProblem := document["type"]; isProblem {
		w.Header().Set("content-type", "application/problem+json")
		w.Header().Set("cache-control", "no-store")
	}
	if outcome != "" {
		w.Header().Set("throughline-outcome", outcome)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", random)
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	if os.Args[1] == "vectors" {
		runVectors(os.Args[2])
		return
	}
	served := hop{os.Args[2], number(os.Args[3]), defaults}
	if len(os.Args) > 4 {
		served.options.most = number(os.Args[4])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { panic(http.Serve(listener, served)) }()
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
