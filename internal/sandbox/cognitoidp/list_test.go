package cognitoidp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/listing"
	"poolferry/internal/userpool"
)

func faults(f listing.Faults) func(*cognitoidp.Options) {
	return func(o *cognitoidp.Options) { o.Listing = f }
}

// all reads every page of ListUsers and returns usernames and page sizes.
func (w *world) all(in cip.ListUsersInput) (names []string, sizes []int, err error) {
	for {
		out, err := w.api.ListUsers(ctx, &in)
		if err != nil {
			return nil, nil, err
		}
		sizes = append(sizes, len(out.Users))
		for _, u := range out.Users {
			names = append(names, *u.Username)
		}
		if out.PaginationToken == nil {
			return names, sizes, nil
		}
		in.PaginationToken = out.PaginationToken
	}
}

// crowd fills a pool with users u000 and so on, subs spread over the alphabet.
func (w *world) crowd(poolID string, n int) (names []string) {
	w.t.Helper()
	for i := range n {
		spec := cognitoidp.UserSpec{Username: fmt.Sprintf("u%03d", i), Attributes: userpool.Attributes{"given_name": []string{"Ada", "Adam", "Bob"}[i%3]}, Disabled: i%10 == 0, Groups: []string{"all"}}
		if i%5 == 0 {
			spec.Status = userpool.StatusUnconfirmed
		}
		w.user(poolID, spec)
		names = append(names, spec.Username)
	}
	return names
}

func TestListUsers(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	want := w.crowd(p, 150)
	got, sizes, err := w.all(cip.ListUsersInput{UserPoolId: &p})
	slices.Sort(got)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff([]int{60, 60, 30}, sizes); diff != "" {
		t.Error(diff)
	}
	for filter, n := range map[string]int{
		`username = "u007"`: 1, `username = "U007"`: 0, `username ^= "u00"`: 10, `given_name = "Ada"`: 50, `given_name ^= "Ada"`: 100,
		`cognito:user_status = "unconfirmed"`: 30, `status = "Disabled"`: 15, `status = "disabled"`: 0, `email = "x"`: 0,
	} {
		got, _, err := w.all(cip.ListUsersInput{UserPoolId: &p, Filter: &filter, Limit: aws.Int32(7)})
		if err != nil || len(got) != n {
			t.Errorf("%s: %d users, want %d: %v", filter, len(got), n, err)
		}
	}
	byPrefix := 0
	for _, digit := range strings.Split("0123456789abcdef", "") {
		got, _, err := w.all(cip.ListUsersInput{UserPoolId: &p, Filter: new(`sub ^= "` + digit + `"`)})
		if err != nil {
			t.Fatal(err)
		}
		byPrefix += len(got)
	}
	if byPrefix != len(want) {
		t.Errorf("16 prefixes of sub have %d users, want %d", byPrefix, len(want))
	}
}

func TestListUsersParameters(t *testing.T) {
	w := newWorld(t)
	p, other := w.pool(cognitoidp.PoolSpec{}), w.pool(cognitoidp.PoolSpec{})
	w.crowd(p, 9)
	first := must(w.api.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4)}))(t)
	const marker = "InvalidParameterException: Paging Marker is Invalid for Request"
	for name, c := range map[string]struct {
		in   cip.ListUsersInput
		want string
	}{
		"as before":      {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4)}, ""},
		"other limit":    {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(5)}, marker},
		"other filter":   {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4), Filter: new(`username ^= "u"`)}, marker},
		"attributes":     {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4), AttributesToGet: []string{"given_name"}}, marker},
		"other pool":     {cip.ListUsersInput{UserPoolId: &other, Limit: aws.Int32(4)}, marker},
		"forged":         {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4), PaginationToken: new("AAAAAAAAAAAAAAAAAAAAAAAA")}, marker},
		"limit 61":       {cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(61)}, "InvalidParameterException: 1 validation error"},
		"bad filter":     {cip.ListUsersInput{UserPoolId: &p, Filter: new(`custom:x = "y"`)}, "InvalidParameterException: Invalid search attribute"},
		"no such pool":   {cip.ListUsersInput{UserPoolId: new("eu-central-1_nope")}, "ResourceNotFoundException"},
		"not in schema":  {cip.ListUsersInput{UserPoolId: &p, AttributesToGet: []string{"custom:x"}}, "InvalidParameterException: One or more requested attributes do not exist."},
		"somebody lacks": {cip.ListUsersInput{UserPoolId: &p, AttributesToGet: []string{"email"}}, "InvalidParameterException: One or more requested attributes do not exist."},
	} {
		if c.in.PaginationToken == nil {
			c.in.PaginationToken = first.PaginationToken
			if !strings.HasPrefix(c.want, marker) && name != "as before" {
				c.in.PaginationToken = nil
			}
		}
		_, err := w.api.ListUsers(ctx, &c.in)
		t.Run(name, func(t *testing.T) { wants(t, err, c.want) })
	}
	out := must(w.api.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &p, AttributesToGet: []string{"given_name", "sub"}}))(t)
	if len(out.Users[0].Attributes) != 2 {
		t.Errorf("attributes: %v", out.Users[0].Attributes)
	}
	w.clock.move(time.Hour)
	_, err := w.api.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4), PaginationToken: first.PaginationToken})
	wants(t, err, marker)
}

func TestListUsersMisbehaves(t *testing.T) {
	read := func() []int {
		w := newWorld(t, faults(listing.Faults{Short: 0.5, Empty: 0.3, RefusePrefix: []string{"sub"}, WrongPrefix: []string{"username"}}))
		p := w.pool(cognitoidp.PoolSpec{})
		want := w.crowd(p, 200)
		got, sizes, err := w.all(cip.ListUsersInput{UserPoolId: &p})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if !slices.Contains(sizes, 0) || !slices.ContainsFunc(sizes[:len(sizes)-1], func(n int) bool { return n > 0 && n < 60 }) {
			t.Errorf("no empty or no short page: %v", sizes)
		}
		_, _, err = w.all(cip.ListUsersInput{UserPoolId: &p, Filter: new(`sub ^= "0"`)})
		wants(t, err, "InvalidParameterException")
		if got, _, err := w.all(cip.ListUsersInput{UserPoolId: &p, Filter: new(`username ^= "u"`)}); err != nil || len(got) != 0 {
			t.Errorf("%d users, %v", len(got), err)
		}
		if got, _, err := w.all(cip.ListUsersInput{UserPoolId: &p, Filter: new(`username = "u001"`)}); err != nil || len(got) != 1 {
			t.Errorf("%d users, %v", len(got), err)
		}
		return sizes
	}
	if diff := cmp.Diff(read(), read()); diff != "" {
		t.Error("the same seed gives other pages:", diff)
	}
}

// TestListWhileUsersComeAndGo deletes the user at whom a token points.
func TestListWhileUsersComeAndGo(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	w.crowd(p, 10)
	page := must(w.api.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4)}))(t)
	_ = must(w.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &p, Username: page.Users[3].Username}))(t)
	rest, _, err := w.all(cip.ListUsersInput{UserPoolId: &p, Limit: aws.Int32(4), PaginationToken: page.PaginationToken})
	if err != nil || len(rest) != 6 {
		t.Errorf("%d more users, want 6: %v", len(rest), err)
	}
}

func TestGroupLists(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	w.crowd(p, 25)
	for i := range 12 {
		name := fmt.Sprintf("g%02d", i)
		_ = must(w.api.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: &p, GroupName: &name, Precedence: aws.Int32(int32(20 - i)), Description: new("d")}))(t)
		_ = must(w.api.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &p, GroupName: &name, Username: new("u001")}))(t)
	}
	_, err := w.api.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: &p, GroupName: new("g01")})
	wants(t, err, "GroupExistsException")
	one := must(w.api.GetGroup(ctx, &cip.GetGroupInput{UserPoolId: &p, GroupName: new("g01")}))(t)
	if *one.Group.Precedence != 19 || *one.Group.Description != "d" || !one.Group.CreationDate.Equal(w.clock.now()) {
		t.Errorf("group: %+v", one.Group)
	}
	_, err = w.api.GetGroup(ctx, &cip.GetGroupInput{UserPoolId: &p, GroupName: new("none")})
	wants(t, err, "ResourceNotFoundException")
	// The SDK's own paginators end where the lists end.
	groups := 0
	for pages := cip.NewListGroupsPaginator(w.api, &cip.ListGroupsInput{UserPoolId: &p, Limit: aws.Int32(5)}); pages.HasMorePages(); {
		groups += len(must(pages.NextPage(ctx))(t).Groups)
	}
	members := 0
	for pages := cip.NewListUsersInGroupPaginator(w.api, &cip.ListUsersInGroupInput{UserPoolId: &p, GroupName: new("all"), Limit: aws.Int32(10)}); pages.HasMorePages(); {
		members += len(must(pages.NextPage(ctx))(t).Users)
	}
	var mine []string
	for pages := cip.NewAdminListGroupsForUserPaginator(w.api, &cip.AdminListGroupsForUserInput{UserPoolId: &p, Username: new("u001"), Limit: aws.Int32(5)}); pages.HasMorePages(); {
		for _, g := range must(pages.NextPage(ctx))(t).Groups {
			mine = append(mine, *g.GroupName)
		}
	}
	if groups != 13 || members != 25 || len(mine) != 13 || mine[0] != "g11" || mine[12] != "all" {
		t.Errorf("%d groups, %d members, groups of u001: %v", groups, members, mine)
	}
	_ = must(w.api.AdminRemoveUserFromGroup(ctx, &cip.AdminRemoveUserFromGroupInput{UserPoolId: &p, GroupName: new("all"), Username: new("u001")}))(t)
	_, err = w.api.AdminRemoveUserFromGroup(ctx, &cip.AdminRemoveUserFromGroupInput{UserPoolId: &p, GroupName: new("none"), Username: new("u001")})
	wants(t, err, "ResourceNotFoundException")
	page := must(w.api.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: &p, GroupName: new("all"), Limit: aws.Int32(10)}))(t)
	_, err = w.api.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: &p, GroupName: new("g01"), Limit: aws.Int32(10), NextToken: page.NextToken})
	wants(t, err, "InvalidParameterException: Paging Marker")
	_, err = w.api.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: &p, GroupName: new("none")})
	wants(t, err, "ResourceNotFoundException")
}
