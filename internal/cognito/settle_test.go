package cognito_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/scan"
	"poolferry/internal/settle"
	"poolferry/internal/userpool"
)

func newSettler(t *testing.T, answers ...answer) (*cognito.Settler, *aws) {
	t.Helper()
	a := &aws{answers: answers}
	return cognito.NewSettler(a.account(t), "eu-west-1", "eu-west-1_NewPool01"), a
}

// TestSettlerAsks for what Cognito wants, and for nothing else.
func TestSettlerAsks(t *testing.T) {
	s, aws := newSettler(t,
		answer{status: 200, body: `{"Groups":[{"GroupName":"a"},{"GroupName":"b"}],"NextToken":"more"}`}, answer{status: 200, body: `{}`},
		answer{status: 200, body: `{"UserAttributes":[{"Name":"phone_number","Value":"+15550100"},{"Name":"phone_number_verified","Value":"true"}],
			"UserMFASettingList":["SOFTWARE_TOKEN_MFA"],"PreferredMfaSetting":"SMS_MFA"}`}, answer{status: 200, body: `{}`},
	)
	ctx, seven := t.Context(), 7
	page, err := s.GroupsOf(ctx, "ann", "")
	if diff := cmp.Diff(scan.Page[string]{Items: []string{"a", "b"}, Next: "more"}, page); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if page, err = s.GroupsOf(ctx, "ann", page.Next); err != nil || len(page.Items) > 0 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	factors, err := s.Factors(ctx, "ann")
	if diff := cmp.Diff(settle.Factors{Set: []string{"SOFTWARE_TOKEN_MFA", "SMS_MFA"}, PhoneVerified: true}, factors); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if factors, err = s.Factors(ctx, "ann"); err != nil || len(factors.Set) > 0 || factors.PhoneVerified {
		t.Errorf("%+v, %v", factors, err)
	}
	for _, err := range []error{
		s.AddToGroup(ctx, "ann", "a"), s.RemoveFromGroup(ctx, "ann", "a"), s.CreateGroup(ctx, manifest.Group{Name: "a"}),
		s.CreateGroup(ctx, manifest.Group{Name: "b", Description: "d", Precedence: &seven, RoleARN: "arn"}), s.Disable(ctx, "ann"), s.PreferSMS(ctx, "ann"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	const pool = "eu-west-1_NewPool01"
	want := []call{
		{"AdminListGroupsForUser", map[string]any{"UserPoolId": pool, "Username": "ann", "Limit": 60.0}},
		{"AdminListGroupsForUser", map[string]any{"UserPoolId": pool, "Username": "ann", "Limit": 60.0, "NextToken": "more"}},
		{"AdminGetUser", map[string]any{"UserPoolId": pool, "Username": "ann"}}, {"AdminGetUser", map[string]any{"UserPoolId": pool, "Username": "ann"}},
		{"AdminAddUserToGroup", map[string]any{"UserPoolId": pool, "Username": "ann", "GroupName": "a"}},
		{"AdminRemoveUserFromGroup", map[string]any{"UserPoolId": pool, "Username": "ann", "GroupName": "a"}},
		{"CreateGroup", map[string]any{"UserPoolId": pool, "GroupName": "a"}},
		{"CreateGroup", map[string]any{"UserPoolId": pool, "GroupName": "b", "Description": "d", "Precedence": 7.0, "RoleArn": "arn"}},
		{"AdminDisableUser", map[string]any{"UserPoolId": pool, "Username": "ann"}},
		{"AdminSetUserMFAPreference", map[string]any{"UserPoolId": pool, "Username": "ann", "SMSMfaSettings": map[string]any{"Enabled": true, "PreferredMfa": true}}},
	}
	if diff := cmp.Diff(want, aws.calls); diff != "" {
		t.Error(diff)
	}
}

// TestSettlerErrors: each is asked once, its kind tells what to do, and none names
// a user.
func TestSettlerErrors(t *testing.T) {
	operations := map[string]func(context.Context, *cognito.Settler) error{
		"groups": func(ctx context.Context, s *cognito.Settler) error {
			_, err := s.GroupsOf(ctx, "ann@example.com", "")
			return err
		},
		"add": func(ctx context.Context, s *cognito.Settler) error { return s.AddToGroup(ctx, "ann@example.com", "a") },
		"remove": func(ctx context.Context, s *cognito.Settler) error {
			return s.RemoveFromGroup(ctx, "ann@example.com", "a")
		},
		"create": func(ctx context.Context, s *cognito.Settler) error {
			return s.CreateGroup(ctx, manifest.Group{Name: "a"})
		},
		"disable": func(ctx context.Context, s *cognito.Settler) error { return s.Disable(ctx, "ann@example.com") },
		"factors": func(ctx context.Context, s *cognito.Settler) error {
			_, err := s.Factors(ctx, "ann@example.com")
			return err
		},
		"prefer": func(ctx context.Context, s *cognito.Settler) error { return s.PreferSMS(ctx, "ann@example.com") },
	}
	none := fault.Kind("")
	for code, want := range map[string]map[string]fault.Kind{
		"TooManyRequestsException":  {"": fault.Throttled},
		"UserNotFoundException":     {"": fault.NotFound},
		"AccessDeniedException":     {"": fault.Denied},
		"NotAuthorizedException":    {"": fault.Invalid}, // as of a user who is disabled
		"InvalidParameterException": {"": fault.Invalid},
		"InternalErrorException":    {"": fault.Unavailable},
		"ResourceNotFoundException": {"": fault.Invalid, "remove": none},
		"GroupExistsException":      {"create": fault.AlreadyExists},
		"LimitExceededException":    {"": fault.Invalid}, // of groups: more requests later change nothing
	} {
		for name, do := range operations {
			kind, ok := want[name]
			if !ok {
				kind, ok = want[""]
			}
			if !ok {
				continue // it does not answer so
			}
			status := 400
			if code == "InternalErrorException" {
				status = 500
			}
			s, aws := newSettler(t, apiError(status, code, "no"))
			err := do(t.Context(), s)
			if (err == nil) != (kind == none) || err != nil && fault.KindOf(err) != kind {
				t.Errorf("%s of %s: %s, %v", code, name, fault.KindOf(err), err)
			}
			if noGroup := errors.Is(err, userpool.ErrNoGroup); noGroup != (code == "ResourceNotFoundException" && name == "add") {
				t.Errorf("%s of %s: no such group? %v", code, name, err)
			}
			if err != nil && (strings.Contains(err.Error(), "ann") || cognito.Code(err) != code) {
				t.Errorf("%s of %s: %v", code, name, err)
			}
			if len(aws.calls) != 1 {
				t.Errorf("%s of %s: %d calls: the pace knows of one", code, name, len(aws.calls))
			}
		}
	}
}

// TestSettlerIsRefused: what the role may not do is not the user's.
func TestSettlerIsRefused(t *testing.T) {
	s, _ := newSettler(t, apiError(400, "NotAuthorizedException", "User: arn:aws:sts::444455556666:assumed-role/x is not authorized to perform: cognito-idp:AdminDisableUser"))
	if err := s.Disable(t.Context(), "ann"); fault.KindOf(err) != fault.Denied {
		t.Error(err)
	}
}

// TestSettlerOfTheSandbox settles users in a pool.
func TestSettlerOfTheSandbox(t *testing.T) {
	box := sandbox.New(sandbox.Options{Now: time.Now})
	t.Cleanup(func() { _ = box.Close() })
	pools := cognitoidp.New(cognitoidp.Options{Now: time.Now})
	if err := errors.Join(box.Register(pools), box.AddAccount("target", "444455556666")); err != nil {
		t.Fatal(err)
	}
	operator, err := box.IAM.AddUser("444455556666", "operator", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pools.CreatePool("444455556666", "eu-west-1", cognitoidp.PoolSpec{Name: "new", Settings: cognitoidp.Settings{MfaConfiguration: "OPTIONAL", SmsConfiguration: []byte(`{"SnsCallerArn":"arn:aws:iam::444455556666:role/sms"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, verified := range map[string]string{"ann": "true", "bob": "false"} {
		if _, err := pools.PutUser(pool, cognitoidp.UserSpec{Username: name, Attributes: userpool.Attributes{"phone_number": "+15550100", "phone_number_verified": verified}}); err != nil {
			t.Fatal(err)
		}
	}
	endpoint, err := box.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": operator.AccessKeyID, "AWS_SECRET_ACCESS_KEY": operator.SecretAccessKey.Reveal(), "AWS_ENDPOINT_URL": endpoint}
	account, err := cognito.NewAccount(t.Context(), "eu-west-1", func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := t.Context(), cognito.NewSettler(account, "eu-west-1", pool)

	var want []string
	for i := range 70 { // more than a page
		name := fmt.Sprintf("g%02d", i)
		if err := s.AddToGroup(ctx, "ann", name); !errors.Is(err, userpool.ErrNoGroup) {
			t.Fatalf("a group that is not there: %v", err)
		}
		precedence := i
		if err := errors.Join(s.CreateGroup(ctx, manifest.Group{Name: name, Precedence: &precedence}), s.AddToGroup(ctx, "ann", name), s.AddToGroup(ctx, "ann", name)); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	if err := s.CreateGroup(ctx, manifest.Group{Name: "g00"}); fault.KindOf(err) != fault.AlreadyExists {
		t.Error(err)
	}
	if err := errors.Join(s.RemoveFromGroup(ctx, "ann", "g00"), s.RemoveFromGroup(ctx, "ann", "g00"), s.RemoveFromGroup(ctx, "ann", "none")); err != nil {
		t.Error(err)
	}
	var got []string
	for cursor, more := manifest.Cursor(""), true; more; more = cursor != "" {
		page, err := s.GroupsOf(ctx, "ann", cursor)
		if err != nil {
			t.Fatal(err)
		}
		got, cursor = append(got, page.Items...), page.Next
	}
	slices.Sort(got)
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Error(diff)
	}

	for name, before := range map[string]settle.Factors{"ann": {PhoneVerified: true}, "bob": {}} {
		if f, err := s.Factors(ctx, name); err != nil || !cmp.Equal(before, f) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if err := errors.Join(s.PreferSMS(ctx, "ann"), s.PreferSMS(ctx, "ann"), s.Disable(ctx, "ann"), s.Disable(ctx, "ann")); err != nil {
		t.Error(err)
	}
	if f, err := s.Factors(ctx, "ann"); err != nil || !cmp.Equal(settle.Factors{Set: []string{"SMS_MFA"}, PhoneVerified: true}, f) {
		t.Errorf("%+v, %v", f, err)
	}
	for u := range pools.Users(pool) {
		if u.Enabled != (u.Username == "bob") {
			t.Errorf("%s is enabled: %v", u.Username, u.Enabled)
		}
	}

	_, groups := s.GroupsOf(ctx, "cyd", "")
	_, factors := s.Factors(ctx, "cyd")
	for _, err := range []error{groups, factors, s.AddToGroup(ctx, "cyd", "g01"), s.RemoveFromGroup(ctx, "cyd", "g01"), s.Disable(ctx, "cyd"), s.PreferSMS(ctx, "cyd")} {
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("somebody who is not there: %v", err)
		}
	}
}
