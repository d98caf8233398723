// A client and a server with Go's grpc: `serve`, or `call <address>`. Messages are JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

type jsonCodec struct{}

func (jsonCodec) Marshal(v interface{}) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v interface{}) error { return json.Unmarshal(data, v) }
func (jsonCodec) String() string                             { return "json" }

type request struct {
	Op string `json:"op"`
	ID int    `json:"id"`
}

type reply struct {
	Remaining *float64 `json:"remaining"`
	At        *float64 `json:"at"`
	Sent      float64  `json:"sent"`
}

var ended sync.Map

func now() float64 { return float64(time.Now().UnixNano()) / 1e6 }

func echo(ctx context.Context, req *request) (*reply, error) {
	switch req.Op {
	case "remaining":
		if deadline, ok := ctx.Deadline(); ok {
			left := float64(time.Until(deadline).Nanoseconds()) / 1e6
			return &reply{Remaining: &left}, nil
		}
		return &reply{}, nil
	case "ended":
		if at, ok := ended.Load(req.ID); ok {
			value := at.(float64)
			return &reply{At: &value}, nil
		}
		return &reply{}, nil
	}
	<-ctx.Done()
	ended.Store(req.ID, now())
	return nil, status.FromContextError(ctx.Err()).Err()
}

func handle(_ interface{}, ctx context.Context, decode func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) {
	req := new(request)
	if err := decode(req); err != nil {
		return nil, err
	}
	return echo(ctx, req)
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(grpc.CustomCodec(jsonCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo",
		HandlerType: (*interface{})(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: handle}},
	}, struct{}{})
	go server.Serve(listener)
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
	server.Stop()
}

type seen struct {
	Sent float64  `json:"sent"`
	Seen *float64 `json:"seen"`
}

func call(address string) {
	conn, err := grpc.Dial(address, grpc.WithInsecure(), grpc.WithCodec(jsonCodec{}))
	if err != nil {
		panic(err)
	}
	unary := func(ctx context.Context, req request) (reply, error) {
		var answer reply
		err := conn.Invoke(ctx, "/test.Echo/Unary", &req, &answer)
		return answer, err
	}
	unary(context.Background(), request{Op: "remaining"})
	var calls []seen
	for i := 0; i < 9; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		answer, err := unary(ctx, request{Op: "remaining"})
		cancel()
		if err != nil {
			panic(err)
		}
		calls = append(calls, seen{answer.Sent, answer.Remaining})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { unary(ctx, request{"wait", 1}); close(done) }()
	time.Sleep(100 * time.Millisecond)
	canceled := now()
	cancel()
	<-done
	time.Sleep(200 * time.Millisecond)
	last, _ := unary(context.Background(), request{"ended", 1})
	late, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	_, err = unary(late, request{"wait", 2})
	stop()
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"calls": calls, "canceled": canceled, "seen": last.At, "code": int(status.Code(err)),
	})
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	} else {
		call(os.Args[2])
	}
}
