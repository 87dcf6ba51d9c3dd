package cognito_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

func newListing(t *testing.T, answers ...answer) (*cognito.Listing, *aws) {
	t.Helper()
	a := &aws{answers: answers}
	return cognito.NewListing(a.account(t), "eu-west-1", "eu-west-1_OldPool01", cognito.Role{}), a
}

const twoUsers = `{"PaginationToken":"next","Users":[
 {"Username":"ann","Enabled":true,"UserStatus":"CONFIRMED","UserCreateDate":1700000000.5,"UserLastModifiedDate":1700000001,
  "Attributes":[{"Name":"sub","Value":"s-1"},{"Name":"email","Value":"ann@example.com"}],
  "MFAOptions":[{"DeliveryMedium":"SMS","AttributeName":"phone_number"}]},
 {"Username":"bob","Enabled":false,"UserStatus":"EXTERNAL_PROVIDER","Attributes":[{"Name":"sub","Value":"s-2"}]}]}`

func TestListUsers(t *testing.T) {
	l, aws := newListing(t, answer{status: 200, body: twoUsers}, answer{status: 200, body: `{"Users":[]}`})
	page, err := l.ListUsers(t.Context(), `sub ^= "0"`, "here")
	if err != nil {
		t.Fatal(err)
	}
	want := seeding.Page[userpool.User]{Next: "next", Items: []userpool.User{
		{Sub: "s-1", Username: "ann", Attributes: userpool.Attributes{"email": "ann@example.com"}, Enabled: true, Status: userpool.StatusConfirmed,
			MFA: []string{"SMS_MFA"}, Created: time.UnixMilli(1700000000500).UTC(), Modified: time.Unix(1700000001, 0).UTC()},
		{Sub: "s-2", Username: "bob", Attributes: userpool.Attributes{}, Status: userpool.StatusExternalProvider},
	}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	if page, err = l.ListUsers(t.Context(), "", ""); err != nil || page.Next != "" || len(page.Items) > 0 {
		t.Errorf("%+v, %v", page, err)
	}
	asked := []map[string]any{
		{"UserPoolId": "eu-west-1_OldPool01", "Limit": 60.0, "Filter": `sub ^= "0"`, "PaginationToken": "here"},
		{"UserPoolId": "eu-west-1_OldPool01", "Limit": 60.0}, // neither an empty filter nor AttributesToGet
	}
	for i, call := range aws.calls {
		if diff := cmp.Diff(asked[i], call.Body); diff != "" || call.Operation != "ListUsers" {
			t.Error(call.Operation, diff)
		}
	}
}

// TestListingErrors: each is asked once, and its kind tells what to do.
func TestListingErrors(t *testing.T) {
	const marker = "Paging Marker is Invalid for Request"
	for name, c := range map[string]struct {
		answer answer
		cursor manifest.Cursor
		kind   fault.Kind
		token  bool // ErrCursor
	}{
		"throttled":                 {answer: apiError(400, "TooManyRequestsException", "Rate exceeded"), kind: fault.Throttled},
		"throttled with a cursor":   {answer: apiError(400, "TooManyRequestsException", "Rate exceeded"), cursor: "c", kind: fault.Throttled},
		"expired cursor":            {answer: apiError(400, "InvalidParameterException", marker), cursor: "c", kind: fault.Invalid, token: true},
		"refused filter":            {answer: apiError(400, "InvalidParameterException", "Error while parsing filter."), kind: fault.Invalid},
		"server error":              {answer: apiError(500, "InternalErrorException", "Something"), kind: fault.Unavailable},
		"server error, no code":     {answer: answer{status: 503, body: "busy"}, kind: fault.Unavailable},
		"no such pool":              {answer: apiError(400, "ResourceNotFoundException", "User pool does not exist."), cursor: "c", kind: fault.Invalid},
		"role may not":              {answer: apiError(400, "AccessDeniedException", "not authorized"), kind: fault.Denied},
		"credentials are too old":   {answer: apiError(400, "ExpiredTokenException", "expired"), cursor: "c", kind: fault.Denied},
		"a user without a sub":      {answer: answer{status: 200, body: `{"Users":[{"Username":"ann"}]}`}, kind: fault.Unavailable},
		"an answer that is no JSON": {answer: answer{status: 200, body: `<html>`}, kind: fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			l, aws := newListing(t, c.answer)
			_, err := l.ListUsers(t.Context(), "", c.cursor)
			if fault.KindOf(err) != c.kind || errors.Is(err, seeding.ErrCursor) != c.token {
				t.Errorf("%s: %v", fault.KindOf(err), err)
			}
			if len(aws.calls) != 1 {
				t.Errorf("%d calls: the pace knows of one", len(aws.calls))
			}
		})
	}
}

func TestListGroupsAndMembers(t *testing.T) {
	l, aws := newListing(t,
		answer{status: 200, body: `{"NextToken":"more","Groups":[{"GroupName":"a","Description":"d","Precedence":0,"RoleArn":"arn"},{"GroupName":"b"}]}`},
		answer{status: 200, body: `{"NextToken":"more","Users":[{"Username":"ann","Attributes":[{"Name":"email","Value":"e"},{"Name":"sub","Value":"s-1"}]}]}`},
		apiError(400, "ResourceNotFoundException", "Group not found."),
		apiError(400, "InvalidParameterException", "Invalid token"),
		answer{status: 200, body: `{"Users":[{"Username":"ann"}]}`},
	)
	groups, err := l.ListGroups(t.Context(), "")
	zero := 0
	want := seeding.Page[manifest.Group]{Next: "more", Items: []manifest.Group{{Name: "a", Description: "d", Precedence: &zero, RoleARN: "arn"}, {Name: "b"}}}
	if diff := cmp.Diff(want, groups); err != nil || diff != "" {
		t.Error(err, diff)
	}
	members, err := l.ListUsersInGroup(t.Context(), "a", "t")
	if diff := cmp.Diff(seeding.Page[userpool.Sub]{Next: "more", Items: []userpool.Sub{"s-1"}}, members); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got := aws.calls[1].Body; got["GroupName"] != "a" || got["NextToken"] != "t" || got["Limit"] != 60.0 {
		t.Error(got)
	}
	if _, err := l.ListUsersInGroup(t.Context(), "a", "t"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if _, err := l.ListUsersInGroup(t.Context(), "a", "t"); !errors.Is(err, seeding.ErrCursor) {
		t.Error(err)
	}
	if _, err := l.ListUsersInGroup(t.Context(), "a", ""); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

func TestDescribeForSeeding(t *testing.T) {
	l, _ := newListing(t,
		answer{status: 200, body: `{"UserPool":{"EstimatedNumberOfUsers":7,"SchemaAttributes":[{"Name":"sub"},{"Name":"custom:plan"}]}}`},
		answer{status: 200, body: `{}`},
	)
	got, err := l.Describe(t.Context())
	if diff := cmp.Diff(seeding.Description{Users: 7, Attributes: []string{"sub", "custom:plan"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := l.Describe(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

// TestListingOfTheSandbox walks a whole pool, by prefixes and by groups.
func TestListingOfTheSandbox(t *testing.T) {
	box := sandbox.New(sandbox.Options{Now: time.Now})
	t.Cleanup(func() { _ = box.Close() })
	pools := cognitoidp.New(cognitoidp.Options{Now: time.Now})
	if err := errors.Join(box.Register(pools), box.AddAccount("source", "111122223333")); err != nil {
		t.Fatal(err)
	}
	operator, err := box.IAM.AddUser("111122223333", "operator", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pools.CreatePool("111122223333", "eu-west-1", cognitoidp.PoolSpec{Name: "old"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[userpool.Sub]string{}
	for i := range 130 {
		spec := cognitoidp.UserSpec{Username: fmt.Sprintf("u%03d", i), Attributes: userpool.Attributes{"name": "n"}}
		if i < 70 {
			spec.Groups = []string{"seventy"}
		}
		sub, err := pools.PutUser(pool, spec)
		if err != nil {
			t.Fatal(err)
		}
		want[sub] = spec.Username
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
	l := cognito.NewListing(account, "eu-west-1", pool, cognito.Role{})
	if d, err := l.Describe(t.Context()); err != nil || d.Users != len(want) || !slices.Contains(d.Attributes, "sub") {
		t.Errorf("%+v, %v", d, err)
	}
	got := map[userpool.Sub]string{}
	for digit := range 16 {
		filter := manifest.PrefixFilter(fmt.Sprintf("%x", digit))
		err := walk(func(c manifest.Cursor) (seeding.Page[userpool.User], error) {
			return l.ListUsers(t.Context(), filter, c)
		},
			func(u userpool.User) { got[u.Sub] = u.Username })
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	members := map[userpool.Sub]bool{}
	err = walk(func(c manifest.Cursor) (seeding.Page[userpool.Sub], error) {
		return l.ListUsersInGroup(t.Context(), "seventy", c)
	},
		func(sub userpool.Sub) { members[sub] = true })
	if err != nil || len(members) != 70 {
		t.Errorf("%d members, %v", len(members), err)
	}
	if groups, err := l.ListGroups(t.Context(), ""); err != nil || len(groups.Items) != 1 || groups.Items[0].Name != "seventy" {
		t.Errorf("%+v, %v", groups, err)
	}
	if _, err := l.ListUsersInGroup(t.Context(), "none", ""); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	first, err := l.ListUsers(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.ListUsers(t.Context(), manifest.PrefixFilter("0"), first.Next); !errors.Is(err, seeding.ErrCursor) {
		t.Errorf("the cursor of another request: %v", err)
	}
	if _, err := l.ListUsers(t.Context(), `custom:x = "y"`, ""); fault.KindOf(err) != fault.Invalid || errors.Is(err, seeding.ErrCursor) {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.ListUsers(gone, "", ""); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

func walk[T any](list func(manifest.Cursor) (seeding.Page[T], error), do func(T)) error {
	for cursor := manifest.Cursor(""); ; {
		page, err := list(cursor)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			do(item)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
