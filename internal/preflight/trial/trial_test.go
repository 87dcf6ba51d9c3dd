package trial

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
)

// roles fail as they are told to, by action.
type roles map[string]error

func (r roles) Assume(context.Context) error         { return r[Assume] }
func (r roles) Authenticate(context.Context) error   { return r[Authenticate] }
func (r roles) Read(context.Context) error           { return r[Read] }
func (r roles) Respond(context.Context) error        { return r[Respond] }
func (r roles) DescribeTarget(context.Context) error { return r[DescribeTarget] }

func TestRun(t *testing.T) {
	code := func(error) string { return "Code" }
	failed := func(kind fault.Kind) error { return fault.New(kind, "x") }
	tests := map[string]struct {
		roles   roles
		respond bool
		want    []Try
	}{
		"all is well":                {nil, true, []Try{{DescribeTarget, Works, ""}, {Assume, Works, ""}, {Authenticate, Works, ""}, {Read, Works, ""}, {Respond, Works, ""}}},
		"no challenges are answered": {nil, false, []Try{{DescribeTarget, Works, ""}, {Assume, Works, ""}, {Authenticate, Works, ""}, {Read, Works, ""}}},
		"no role":                    {roles{Assume: failed(fault.Denied)}, true, []Try{{DescribeTarget, Works, ""}, {Assume, Denied, "Code"}}},
		"each in its way": {roles{Authenticate: failed(fault.Invalid), Read: failed(fault.Unavailable), Respond: failed(fault.Throttled), DescribeTarget: errors.New("x")}, true,
			[]Try{{DescribeTarget, Wrong, "Code"}, {Assume, Works, ""}, {Authenticate, Wrong, "Code"}, {Read, Silent, "Code"}, {Respond, Silent, "Code"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := Run(t.Context(), "r1", tt.roles, tt.respond, code)
			if diff := cmp.Diff(tt.want, a.Tries); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			data, err := a.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := Decode(bytes.TrimSuffix(data, []byte("\n"))) // as a function answers
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, back); diff != "" {
				t.Errorf("(-sent +received)\n%s", diff)
			}
		})
	}
}

func TestIsRequest(t *testing.T) {
	if !IsRequest(Request()) {
		t.Errorf("%s is no request", Request())
	}
	for _, payload := range []string{
		``, `{}`, `null`, `{"version":1,"poolferry":"other"}`, `{"version":2,"poolferry":"trial"}`,
		`{"version":1,"poolferry":"trial","triggerSource":"UserMigration_Authentication"}`,
		`{"version":"1","triggerSource":"UserMigration_Authentication","request":{"validationData":{"poolferry":"trial"}}}`,
	} {
		if IsRequest([]byte(payload)) {
			t.Errorf("%s is a request", payload)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"run":"r1","tries":[{"action":"sts:AssumeRole","result":"works"}]}`))
	f.Add([]byte(`{"version":1,"triggerSource":"UserMigration_Authentication","response":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Decode(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("kind %s", fault.KindOf(err))
			}
			return
		}
		again, err := a.Encode()
		if err != nil || !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), data) {
			t.Errorf("%q becomes %q, %v", data, again, err)
		}
	})
}
