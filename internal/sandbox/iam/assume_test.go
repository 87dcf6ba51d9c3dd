package iam

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Trust and identity policies both decide; every row changes one of them.
func TestAssumeRole(t *testing.T) {
	const role = "arn:aws:iam::" + source + ":role/login"
	const exec = "arn:aws:iam::" + target + ":role/exec"
	root := "arn:aws:iam::" + target + ":root"
	both := `{"StringEquals":{"sts:ExternalId":"run-7"},"ArnEquals":{"aws:PrincipalArn":"` + exec + `"}}`
	may := allow("sts:AssumeRole", role)
	tests := []struct {
		name       string
		trust      []byte
		own        [][]byte
		externalID string
		want       string // error code
	}{
		{"the deployed shape", trustOf(root, both), [][]byte{may}, "run-7", ""},
		{"wrong external id", trustOf(root, both), [][]byte{may}, "run-8", "AccessDenied"},
		{"no external id", trustOf(root, both), [][]byte{may}, "", "AccessDenied"},
		{"condition keys have no case", trustOf(root, `{"StringEquals":{"STS:externalid":"run-7"}}`), [][]byte{may}, "run-7", ""},
		{"one of several values", trustOf(root, `{"StringEquals":{"sts:ExternalId":["run-6","run-7"]}}`), [][]byte{may}, "run-7", ""},
		{"a pattern", trustOf(root, `{"StringLike":{"sts:ExternalId":"run-*"}}`), [][]byte{may}, "run-7", ""},
		{"equals knows no pattern", trustOf(root, `{"StringEquals":{"sts:ExternalId":"run-*"}}`), [][]byte{may}, "run-7", "AccessDenied"},
		{"role by pattern", trustOf(root, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/ex*"}}`), [][]byte{may}, "", ""},
		{"another role", trustOf(root, `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::`+target+`:role/other"}}`), [][]byte{may}, "", "AccessDenied"},
		{"the session is not the principal ARN", trustOf(root, `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:sts::`+target+`:assumed-role/exec/fn"}}`), [][]byte{may}, "", "AccessDenied"},
		{"account id", trustOf(target, ""), [][]byte{may}, "", ""},
		{"another account", trustOf("777788889999", ""), [][]byte{may}, "", "AccessDenied"},
		{"role as principal", trustOf(exec, ""), [][]byte{may}, "", ""},
		{"session as principal", trustOf("arn:aws:sts::"+target+":assumed-role/exec/fn", ""), [][]byte{may}, "", ""},
		{"another session as principal", trustOf("arn:aws:sts::"+target+":assumed-role/exec/gn", ""), [][]byte{may}, "", "AccessDenied"},
		{"trusted, but own policies are silent", trustOf(exec, ""), nil, "", "AccessDenied"},
		{"trusted, but own policies name another role", trustOf(exec, ""), [][]byte{allow("sts:AssumeRole", role+"x")}, "", "AccessDenied"},
		{"trusted, but own policies deny", trustOf(exec, ""), [][]byte{may, denyPolicy("sts:*", "*")}, "", "AccessDenied"},
		{"trust denies", []byte(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"},
			{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":"` + exec + `"}}]}`), [][]byte{may}, "", "AccessDenied"},
		{"trust is for a service", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"},"Condition":{"StringEquals":{"aws:SourceAccount":"` + target + `"}}}}`), [][]byte{may}, "", "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.role(t, source, "login", tt.trust, allow("cognito-idp:AdminInitiateAuth", pool))
			caller := w.session(t, w.role(t, target, "exec", trustOf(target, ""), tt.own...))
			credentials, session, err := w.AssumeRole(caller, AssumeRoleInput{RoleARN: role, SessionName: "mig", ExternalID: tt.externalID})
			if got := code(err); got != tt.want {
				t.Fatalf("got %v, want code %q", err, tt.want)
			}
			if tt.want != "" {
				want := "AccessDenied: User: " + caller.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + role
				if err.Error() != want {
					t.Errorf("got  %s\nwant %s", err, want)
				}
				return
			}
			if diff := cmp.Diff(w.caller(t, credentials), session); diff != "" {
				t.Error("Lookup and AssumeRole disagree about the session:", diff)
			}
			if session.Account != source || session.ARN != "arn:aws:sts::"+source+":assumed-role/login/mig" || session.RoleARN != role || !strings.HasSuffix(session.UserID, ":mig") {
				t.Errorf("session %+v", session)
			}
			if want := w.time.Add(time.Hour); !credentials.Expiration.Equal(want) {
				t.Errorf("expires %v, want %v", credentials.Expiration, want)
			}
			if err := w.Authorize(session, "cognito-idp:AdminInitiateAuth", pool); err != nil {
				t.Error(err)
			}
			if got := code(w.Authorize(session, "cognito-idp:ListUsers", pool)); got != "AccessDeniedException" {
				t.Errorf("the login role may list: %q", got)
			}
		})
	}
}

// Inside one account a trust policy that names the caller is enough; one that
// names the account leaves the decision to the caller's policies.
func TestAssumeRoleInOneAccount(t *testing.T) {
	const user = "arn:aws:iam::" + source + ":user/ops"
	for who, want := range map[string]string{user: "", source: "AccessDenied"} {
		w := newWorld()
		role := w.role(t, source, "login", trustOf(who, ""))
		_, _, err := w.AssumeRole(w.user(t, source), AssumeRoleInput{RoleARN: role, SessionName: "s"})
		if got := code(err); got != want {
			t.Errorf("trust in %s: got %q, want %q", who, got, want)
		}
	}
}

func TestUnknownRoleAnswersLikeAnUntrustingOne(t *testing.T) {
	w := newWorld()
	user := w.user(t, target, allow("*", "*"))
	for _, arn := range []string{"arn:aws:iam::" + source + ":role/none", user.ARN, "nonsense"} {
		_, _, err := w.AssumeRole(user, AssumeRoleInput{RoleARN: arn, SessionName: "s"})
		if want := "AccessDenied: User: " + user.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + arn; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSessionDuration(t *testing.T) {
	tests := []struct {
		name    string
		chained bool
		longest time.Duration
		asked   time.Duration
		life    time.Duration // zero means refused
		want    string        // in the error
	}{
		{"default", false, 0, 0, time.Hour, ""},
		{"shortest", false, 0, 15 * time.Minute, 15 * time.Minute, ""},
		{"too short", false, 0, 15*time.Minute - time.Second, 0, "Value '899' at 'durationSeconds'"},
		{"too long for AWS", false, 12 * time.Hour, 12*time.Hour + time.Second, 0, "less than or equal to 43200"},
		{"role's maximum", false, 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, ""},
		{"beyond the role's maximum", false, 0, 2 * time.Hour, 0, "exceeds the MaxSessionDuration set for this role"},
		{"chained", true, 12 * time.Hour, time.Hour, time.Hour, ""},
		{"chained beyond an hour", true, 12 * time.Hour, time.Hour + time.Second, 0, "1 hour session limit for roles assumed by role chaining"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			role := w.role(t, source, "login", trustOf("*", ""))
			caller := w.user(t, target, allow("sts:*", "*"))
			if tt.chained {
				caller = w.session(t, w.role(t, target, "exec", trustOf(target, ""), allow("sts:*", "*")))
			}
			if tt.longest > 0 {
				if err := w.SetMaxSession(role, tt.longest); err != nil {
					t.Fatal(err)
				}
			}
			got, _, err := w.AssumeRole(caller, AssumeRoleInput{RoleARN: role, SessionName: "s", Duration: tt.asked})
			if tt.life == 0 {
				if code(err) != "ValidationError" || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if left := got.Expiration.Sub(w.time); left != tt.life {
				t.Errorf("lives %s, want %s", left, tt.life)
			}
		})
	}
}

// A session policy can take away, never add.
func TestSessionPolicyNarrows(t *testing.T) {
	w := newWorld()
	role := w.role(t, source, "login", trustOf("*", ""), allow("cognito-idp:*", pool))
	user := w.user(t, source)
	_, session, err := w.AssumeRole(user, AssumeRoleInput{RoleARN: role, SessionName: "s", Policy: allow("*", pool)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Authorize(session, "cognito-idp:ListUsers", pool); err != nil {
		t.Error(err)
	}
	if got := code(w.Authorize(session, "s3:GetObject", pool)); got != "AccessDeniedException" {
		t.Errorf("the session policy added a permission: %q", got)
	}
	for _, narrow := range [][]byte{allow("cognito-idp:AdminGetUser", "*"), denyPolicy("*", "*")} {
		_, session, err = w.AssumeRole(user, AssumeRoleInput{RoleARN: role, SessionName: "s", Policy: narrow})
		if err != nil {
			t.Fatal(err)
		}
		if got := code(w.Authorize(session, "cognito-idp:ListUsers", pool)); got != "AccessDeniedException" {
			t.Errorf("the session policy took nothing away: %q", got)
		}
	}
	if _, _, err := w.AssumeRole(user, AssumeRoleInput{RoleARN: role, SessionName: "s", Policy: []byte("{")}); code(err) != "MalformedPolicyDocument" {
		t.Errorf("got %v", err)
	}
}
