package cognito

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// listTimeout is how long a page may take: sixty users of fifty attributes of
// 2,048 characters are six megabytes.
const listTimeout = 10 * time.Second

// Listing is a pool's directory, page by page. Every call is one request, for
// whoever lists a whole pool keeps to a pace, and a retry that the pace does not
// know of would not.
type Listing struct {
	client *cip.Client
	poolID string
}

var _ seeding.Directory = (*Listing)(nil)

// NewListing returns the directory of a pool as account, or the role it assumes,
// may list it. No call is made.
func NewListing(account *Account, region, poolID string, role Role) *Listing {
	cfg := account.assume(role, region)
	cfg.RetryMaxAttempts = 1
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(listTimeout)
	return &Listing{client: newClient(cfg), poolID: poolID}
}

// Describe reads the pool's schema, and its estimate of how many users it has,
// which is not exact (Cognito API reference, UserPoolType).
func (l *Listing) Describe(ctx context.Context) (scan.Description, error) {
	out, err := l.client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &l.poolID})
	if err != nil {
		return scan.Description{}, classify(fmt.Errorf("describe pool %s: %w", l.poolID, err))
	}
	if out.UserPool == nil {
		return scan.Description{}, fault.New(fault.Unavailable, "describe pool %s: empty answer", l.poolID)
	}
	d := scan.Description{Users: int(out.UserPool.EstimatedNumberOfUsers)}
	for _, a := range out.UserPool.SchemaAttributes {
		d.Attributes = append(d.Attributes, aws.ToString(a.Name))
	}
	return d, nil
}

// ListUsers lists users. It names no attributes: Cognito refuses to list any
// user who lacks one that is named (Cognito API reference, ListUsers).
func (l *Listing) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	out, err := l.client.ListUsers(ctx, &cip.ListUsersInput{
		UserPoolId: &l.poolID, Limit: aws.Int32(scan.PageSize), Filter: optional(filter), PaginationToken: token(cursor),
	})
	if err != nil {
		return page, l.failed("users", cursor, err)
	}
	for _, u := range out.Users {
		user := userOf(u, mfaOptions(u.MFAOptions))
		if user.Sub == "" {
			return page, fault.New(fault.Unavailable, "list users of pool %s: one is without a sub", l.poolID)
		}
		page.Items = append(page.Items, user)
	}
	page.Next = manifest.Cursor(aws.ToString(out.PaginationToken))
	return page, nil
}

// ListGroups lists groups.
func (l *Listing) ListGroups(ctx context.Context, cursor manifest.Cursor) (page scan.Page[manifest.Group], err error) {
	out, err := l.client.ListGroups(ctx, &cip.ListGroupsInput{UserPoolId: &l.poolID, Limit: aws.Int32(scan.PageSize), NextToken: token(cursor)})
	if err != nil {
		return page, l.failed("groups", cursor, err)
	}
	for _, g := range out.Groups {
		group := manifest.Group{
			Name: aws.ToString(g.GroupName), Description: aws.ToString(g.Description), RoleARN: aws.ToString(g.RoleArn),
		}
		if g.Precedence != nil {
			group.Precedence = aws.Int(int(*g.Precedence))
		}
		page.Items = append(page.Items, group)
	}
	page.Next = manifest.Cursor(aws.ToString(out.NextToken))
	return page, nil
}

// ListUsersInGroup lists the subs of a group's users.
func (l *Listing) ListUsersInGroup(ctx context.Context, group string, cursor manifest.Cursor) (page scan.Page[userpool.Sub], err error) {
	out, err := l.client.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{
		UserPoolId: &l.poolID, GroupName: &group, Limit: aws.Int32(scan.PageSize), NextToken: token(cursor),
	})
	if Code(err) == "ResourceNotFoundException" {
		return page, fault.New(fault.NotFound, "list users in group %q of pool %s: %w", group, l.poolID, err)
	}
	if err != nil {
		return page, l.failed("users in a group", cursor, err)
	}
	for _, u := range out.Users {
		i := slices.IndexFunc(u.Attributes, func(a types.AttributeType) bool { return aws.ToString(a.Name) == userpool.AttrSub })
		if i < 0 {
			return page, fault.New(fault.Unavailable, "list users in group %q of pool %s: one is without a sub", group, l.poolID)
		}
		page.Items = append(page.Items, userpool.Sub(aws.ToString(u.Attributes[i].Value)))
	}
	page.Next = manifest.Cursor(aws.ToString(out.NextToken))
	return page, nil
}

// failed classifies an error. Where a token was sent, InvalidParameterException
// is about the token: the same request without one was fine. Cognito says so of
// a token that is an hour old, or of another request.
func (l *Listing) failed(what string, cursor manifest.Cursor, err error) error {
	if cursor != "" && Code(err) == "InvalidParameterException" {
		return fault.New(fault.Invalid, "list %s of pool %s: %w: %w", what, l.poolID, scan.ErrCursor, err)
	}
	return classify(fmt.Errorf("list %s of pool %s: %w", what, l.poolID, err))
}

func token(cursor manifest.Cursor) *string { return optional(string(cursor)) }

// optional is nil for no text: Cognito refuses empty parameters.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
