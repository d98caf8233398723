// Package bench has the benchmarks of Go's context package, and those of our budget, for comparison on one machine.
package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

type key int

var sink any

func BenchmarkWithValue(b *testing.B) {
	ctx := values(8)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		sink = context.WithValue(ctx, key(99), 1)
	}
}

func BenchmarkValueAtDepth8(b *testing.B) {
	ctx := values(8)
	for i := 0; i < b.N; i++ {
		sink = ctx.Value(key(0))
	}
}

func BenchmarkWithCancelCancel(b *testing.B) {
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		sink = ctx
		cancel()
	}
}

func BenchmarkWithTimeoutCancel(b *testing.B) {
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		sink = ctx
		cancel()
	}
}

// AfterFunc exists since Go 1.21. This is the equivalent for earlier versions.
func BenchmarkWithTimeoutAfterFuncCancel(b *testing.B) {
	var called sync.WaitGroup
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		called.Add(1)
		go func() {
			<-ctx.Done()
			called.Done()
		}()
		cancel()
	}
	called.Wait()
}

func BenchmarkCommonParentCancel(b *testing.B) {
	root := context.WithValue(context.Background(), key(0), "value")
	shared, cancel := context.WithCancel(root)
	defer cancel()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithCancel(shared)
		sink = ctx.Value(key(0))
		cancel()
	}
}

func BenchmarkWithTimeout(b *testing.B) {
	for _, concurrency := range []int{40, 4000, 400000} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			cancels := make([]context.CancelFunc, concurrency)
			for i := range cancels {
				_, cancels[i] = context.WithTimeout(context.Background(), time.Hour)
			}
			b.ResetTimer()
			var ten [10]context.CancelFunc
			for i := 0; i < b.N; i++ {
				for j := range ten {
					_, ten[j] = context.WithTimeout(context.Background(), time.Hour)
				}
				for j := range ten {
					ten[j]()
				}
			}
			b.StopTimer()
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

func BenchmarkCancelTree(b *testing.B) {
	for _, depth := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("depth=%d/Root=Background", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				buildTree(context.Background(), depth)
			}
		})
		b.Run(fmt.Sprintf("depth=%d/Root=OpenCanceler", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				ctx, cancel := context.WithCancel(context.Background())
				buildTree(ctx, depth)
				cancel()
			}
		})
		b.Run(fmt.Sprintf("depth=%d/Root=ClosedCanceler", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				buildTree(ctx, depth)
			}
		})
	}
}

func buildTree(ctx context.Context, depth int) {
	for i := 0; i < depth; i++ {
		ctx, _ = context.WithCancel(ctx)
	}
	sink = ctx
}

func BenchmarkCheckCanceled(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.Run("Err", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			ctx.Err()
		}
	})
	b.Run("Done", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			select {
			case <-ctx.Done():
			default:
			}
		}
	})
}

func BenchmarkContextCancelDone(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		select {
		case <-ctx.Done():
		default:
		}
	}
}

func BenchmarkErrOK(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for i := 0; i < b.N; i++ {
		if ctx.Err() != nil {
			b.Fatal("ended")
		}
	}
}

func BenchmarkDeepValueSameGoRoutine(b *testing.B) {
	for _, depth := range []int{10, 20, 30, 50, 100} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			ctx := values(depth)
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				sink = ctx.Value(key(-1))
			}
		})
	}
}

func BenchmarkDeepValueNewGoRoutine(b *testing.B) {
	for _, depth := range []int{10, 20, 30, 50, 100} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			ctx := values(depth)
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				var wait sync.WaitGroup
				wait.Add(1)
				go func() {
					defer wait.Done()
					sink = ctx.Value(key(-1))
				}()
				wait.Wait()
			}
		})
	}
}

func BenchmarkWithValueChain(b *testing.B) {
	for _, depth := range []int{10, 20, 30, 50, 100} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				sink = values(depth)
			}
		})
	}
}

func values(depth int) context.Context {
	ctx := context.Background()
	for i := 0; i < depth; i++ {
		ctx = context.WithValue(ctx, key(i), i)
	}
	return ctx
}
