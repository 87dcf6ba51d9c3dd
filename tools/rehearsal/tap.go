package rehearsal

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
)

// tapped shows every answer before the client can have all of it.
type tapped struct {
	next http.Handler
	show func(operation string, body []byte)
}

func (t tapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kept := &keeping{ResponseWriter: w}
	t.next.ServeHTTP(kept, r)
	_, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		operation = r.Method
	}
	t.show(operation, kept.body.Bytes())
}

type keeping struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (k *keeping) Write(p []byte) (int, error) {
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

// callCounter counts calls by account and operation.
type callCounter struct {
	mu    sync.Mutex
	calls map[[2]string]int
}

func (c *callCounter) of(account, operation string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[[2]string{account, operation}]
}

func (c *callCounter) add(account, operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[[2]string]int)
	}
	c.calls[[2]string{account, operation}]++
}

// counting is the sandbox's request log with a count.
type counting struct {
	slog.Handler
	calls *callCounter
}

func (c counting) Handle(ctx context.Context, r slog.Record) error {
	var account, operation string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "account":
			account = a.Value.String()
		case "operation":
			operation = a.Value.String()
		}
		return true
	})
	if operation != "" {
		c.calls.add(account, operation)
	}
	return c.Handler.Handle(ctx, r)
}
