package cognito

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
	"poolferry/internal/settle"
	"poolferry/internal/userpool"
)

// Settler changes users of the target pool: groups, the disabled flag, second
// factors. Every call is one request, as those of Listing. Its errors name no
// user.
type Settler struct {
	client *cip.Client
	poolID string
}

var (
	_ settle.Directory = (*Settler)(nil)
	_ hook.Directory   = (*Settler)(nil)
)

// NewSettler returns a pool as account may change its users. No call is made.
func NewSettler(account *Account, region, poolID string) *Settler {
	cfg := account.assume(Role{}, region)
	cfg.RetryMaxAttempts = 1
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(listTimeout)
	return &Settler{client: newClient(cfg), poolID: poolID}
}

// GroupsOf lists the names of groups that a user is in.
func (s *Settler) GroupsOf(ctx context.Context, username string, cursor manifest.Cursor) (page scan.Page[string], err error) {
	out, err := s.client.AdminListGroupsForUser(ctx, &cip.AdminListGroupsForUserInput{
		UserPoolId: &s.poolID, Username: &username, Limit: aws.Int32(scan.PageSize), NextToken: token(cursor),
	})
	if err != nil {
		return page, s.failed("list the groups of a user", err)
	}
	for _, g := range out.Groups {
		page.Items = append(page.Items, aws.ToString(g.GroupName))
	}
	page.Next = manifest.Cursor(aws.ToString(out.NextToken))
	return page, nil
}

// AddToGroup puts a user into a group. Cognito says of a group and of a pool alike
// that a resource is not found; CreateGroup, which comes next, knows which.
func (s *Settler) AddToGroup(ctx context.Context, username, group string) error {
	_, err := s.client.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &s.poolID, Username: &username, GroupName: &group})
	if Code(err) == codeNoResource {
		return fault.New(fault.Invalid, "add a user of pool %s to group %q: %w: %w", s.poolID, group, userpool.ErrNoGroup, err)
	}
	if err != nil {
		return s.failed(fmt.Sprintf("add to group %q a user", group), err)
	}
	return nil
}

// RemoveFromGroup takes a user out of a group. A group that is gone has nobody in
// it.
func (s *Settler) RemoveFromGroup(ctx context.Context, username, group string) error {
	_, err := s.client.AdminRemoveUserFromGroup(ctx, &cip.AdminRemoveUserFromGroupInput{UserPoolId: &s.poolID, Username: &username, GroupName: &group})
	if err != nil && Code(err) != codeNoResource {
		return s.failed(fmt.Sprintf("remove from group %q a user", group), err)
	}
	return nil
}

// CreateGroup makes a group.
func (s *Settler) CreateGroup(ctx context.Context, g manifest.Group) error {
	in := &cip.CreateGroupInput{UserPoolId: &s.poolID, GroupName: &g.Name, Description: optional(g.Description), RoleArn: optional(g.RoleARN)}
	if g.Precedence != nil {
		in.Precedence = aws.Int32(int32(*g.Precedence)) //nolint:gosec // it came from Cognito as an int32
	}
	_, err := s.client.CreateGroup(ctx, in)
	switch Code(err) {
	case "":
	case "GroupExistsException":
		return fault.New(fault.AlreadyExists, "create group %q in pool %s: %w", g.Name, s.poolID, err)
	case codeLimit:
		return fault.New(fault.Invalid, "create group %q in pool %s, which has as many as Cognito allows: %w", g.Name, s.poolID, err)
	}
	if err != nil {
		return s.failed(fmt.Sprintf("create group %q for users", g.Name), err)
	}
	return nil
}

// Disable keeps a user from signing in, and revokes their access tokens.
func (s *Settler) Disable(ctx context.Context, username string) error {
	_, err := s.client.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &s.poolID, Username: &username})
	if err != nil {
		return s.failed("disable a user", err)
	}
	return nil
}

// Factors reads which second factors a user has, by AdminGetUser.
func (s *Settler) Factors(ctx context.Context, username string) (settle.Factors, error) {
	out, err := s.client.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &s.poolID, Username: &username})
	if err != nil {
		return settle.Factors{}, s.failed("read a user", err)
	}
	user := userOf(types.UserType{Attributes: out.UserAttributes}, nil)
	f := settle.Factors{Set: out.UserMFASettingList, PhoneVerified: user.Attributes.Verified(userpool.AttrPhoneNumber)}
	if preferred := aws.ToString(out.PreferredMfaSetting); preferred != "" && !slices.Contains(f.Set, preferred) {
		f.Set = append(f.Set, preferred)
	}
	return f, nil
}

// PreferSMS has a user asked for a code by SMS.
func (s *Settler) PreferSMS(ctx context.Context, username string) error {
	_, err := s.client.AdminSetUserMFAPreference(ctx, &cip.AdminSetUserMFAPreferenceInput{
		UserPoolId: &s.poolID, Username: &username, SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: true},
	})
	if err != nil {
		return s.failed("set the second factor of a user", err)
	}
	return nil
}

const (
	codeNoResource = "ResourceNotFoundException"
	codeLimit      = "LimitExceededException" // of things, not of requests: waiting does not help
)

// failed classifies an error. Cognito answers NotAuthorizedException where the state
// of the user does not allow something; what a role may not do is another code, or
// says so.
func (s *Settler) failed(what string, err error) error {
	err = fmt.Errorf("%s of pool %s: %w", what, s.poolID, err)
	if Code(err) == "NotAuthorizedException" && !isOurFault(err) {
		return &fault.Error{Kind: fault.Invalid, Err: err}
	}
	if Code(err) == codeLimit {
		return &fault.Error{Kind: fault.Invalid, Err: err}
	}
	return classify(err)
}
