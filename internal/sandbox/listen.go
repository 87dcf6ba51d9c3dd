package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Timeouts of the server. An answer may take as long as the longest function.
const (
	readTimeout  = time.Minute
	writeTimeout = 16 * time.Minute
	idleTimeout  = 2 * time.Minute
	closeGrace   = 2 * time.Second
)

// Start checks the faults, listens on a loopback address such as
// "127.0.0.1:0" and returns the endpoint, "http://127.0.0.1:PORT". Any other
// address is refused: the sandbox has no TLS and its users' passwords may be
// real.
func (s *Sandbox) Start(addr string) (string, error) {
	if s.server != nil {
		return "", errors.New("the sandbox is started already")
	}
	if err := s.faults.Check(s.faultKinds); err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("sandbox address %q: want HOST:PORT, e.g. 127.0.0.1:0", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("sandbox address %q: only loopback is served, e.g. 127.0.0.1:0", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen for the sandbox: %w", err)
	}
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelError),
	}
	go func() { _ = s.server.Serve(listener) }() // ends with ErrServerClosed
	return "http://" + listener.Addr().String(), nil
}

// Close stops listening, waits two seconds for running calls, cuts off those
// that are left and stops the functions.
func (s *Sandbox) Close() error {
	var errs []error
	if s.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			errs = append(errs, s.server.Close())
		}
	}
	return errors.Join(append(errs, s.closeServices()...)...)
}
