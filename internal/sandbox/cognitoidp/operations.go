package cognitoidp

import (
	"context"

	"poolferry/internal/sandbox/cognitoidp/imports"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// operation is one API action.
type operation struct {
	category string // of the request-rate quota
	unsigned bool
	run      func(ctx context.Context, call *wire.Call) (any, error)
}

// none is the answer without members.
type none struct{}

// decoded reads the input and refuses members that the operation does not have.
func decoded[In any](category string, unsigned bool, run func(context.Context, *wire.Call, In) (any, error)) operation {
	return operation{category, unsigned, func(ctx context.Context, call *wire.Call) (any, error) {
		var in In
		if err := wire.Decode(call.Body, &in); err != nil {
			return nil, err
		}
		return run(ctx, call, in)
	}}
}

// onPool is a signed operation on the pool that its input names.
func onPool[In interface{ PoolID() string }](s *Service, category string, run func(context.Context, *pool.Pool, In) (any, error)) operation {
	return decoded(category, false, func(ctx context.Context, call *wire.Call, in In) (any, error) {
		p, err := s.pool(call, in.PoolID())
		if err != nil {
			return nil, err
		}
		return run(ctx, p, in)
	})
}

// createImportJob is signed, and passes a role besides.
func (s *Service) createImportJob(_ context.Context, call *wire.Call, in imports.CreateInput) (any, error) {
	p, err := s.pool(call, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return s.imports.Create(call, p, in)
}

// updatePool is signed, and passes the role besides by which the pool sends SMS:
// it names every setting anew (Cognito Developer Guide, SMS messages).
func (s *Service) updatePool(_ context.Context, call *wire.Call, in poolUpdate) (any, error) {
	p, err := s.pool(call, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	if role := in.SMSRole(); role != "" {
		if err := call.Authorize("iam:PassRole", role); err != nil {
			return nil, err
		}
	}
	return s.updateUserPool(p, in)
}

// byClient is an unsigned operation of an app client.
func byClient[In interface{ Client() string }](s *Service, category string, run func(context.Context, *pool.Pool, *pool.Client, In) (any, error)) operation {
	return decoded(category, true, func(ctx context.Context, _ *wire.Call, in In) (any, error) {
		p := s.ofClient(in.Client())
		if p == nil {
			return nil, pool.Fail("ResourceNotFoundException", "User pool client %s does not exist.", in.Client())
		}
		c, err := p.Client(in.Client())
		if err != nil {
			return nil, err
		}
		return run(ctx, p, c, in)
	})
}

// byToken is an unsigned operation that an access token allows: it says whose
// pool and user it is.
func byToken[In interface{ Token() userpool.Secret }](s *Service, category string, run func(context.Context, *pool.Pool, In) (any, error)) operation {
	return decoded(category, true, func(ctx context.Context, _ *wire.Call, in In) (any, error) {
		p := s.ofToken(in.Token())
		if p == nil {
			return nil, pool.NotAuthorized("Invalid Access Token")
		}
		return run(ctx, p, in)
	})
}

// operations is the table of everything that is implemented.
func (s *Service) operations() map[string]operation {
	return map[string]operation{
		"InitiateAuth":                byClient(s, "UserAuthentication", s.initiateAuth),
		"RespondToAuthChallenge":      byClient(s, "UserAuthentication", s.respond),
		"AdminInitiateAuth":           onPool(s, "UserAuthentication", s.adminInitiateAuth),
		"AdminRespondToAuthChallenge": onPool(s, "UserAuthentication", s.adminRespond),

		"ForgotPassword":         byClient(s, "UserAccountRecovery", s.forgotPassword),
		"ConfirmForgotPassword":  byClient(s, "UserAccountRecovery", s.confirmForgotPassword),
		"AdminSetUserPassword":   onPool(s, "UserAccountRecovery", s.accounts.SetPassword),
		"AdminResetUserPassword": onPool(s, "UserAccountRecovery", s.accounts.Reset),
		"ChangePassword":         byToken(s, "UserAccountRecovery", s.accounts.ChangePassword),

		"SignUp":             byClient(s, "UserCreation", s.accounts.SignUp),
		"ConfirmSignUp":      byClient(s, "UserCreation", s.accounts.Confirm),
		"AdminConfirmSignUp": onPool(s, "UserCreation", s.accounts.AdminConfirm),
		"AdminCreateUser":    onPool(s, "UserCreation", s.accounts.Create),

		"GetUser":      byToken(s, "UserRead", s.accounts.Own),
		"AdminGetUser": onPool(s, "UserRead", s.accounts.Get),

		"AdminUpdateUserAttributes": onPool(s, "UserUpdate", s.accounts.Update),
		"AdminEnableUser":           onPool(s, "UserUpdate", s.accounts.Enable),
		"AdminDisableUser":          onPool(s, "UserUpdate", s.accounts.Disable),
		"AdminDeleteUser":           onPool(s, "UserUpdate", s.accounts.Delete),
		"AdminUserGlobalSignOut":    onPool(s, "UserUpdate", s.accounts.AdminSignOut),
		"GlobalSignOut":             byToken(s, "UserUpdate", s.accounts.SignOut),
		"RevokeToken":               byClient(s, "UserToken", s.accounts.Revoke),
		"AdminAddUserToGroup":       onPool(s, "UserUpdate", s.accounts.AddToGroup),
		"AdminRemoveUserFromGroup":  onPool(s, "UserUpdate", s.accounts.RemoveFromGroup),
		"AdminSetUserMFAPreference": onPool(s, "UserResourceUpdate", s.accounts.SetMFA),
		"AdminListGroupsForUser":    onPool(s, "UserResourceRead", s.lists.GroupsOf),

		"ListUsers":        onPool(s, "UserList", s.lists.Users),
		"ListUsersInGroup": onPool(s, "UserList", s.lists.Members),

		"ListGroups":  onPool(s, "UserPoolResourceRead", s.lists.Groups),
		"GetGroup":    onPool(s, "UserPoolResourceRead", s.accounts.GetGroup),
		"CreateGroup": onPool(s, "UserPoolResourceUpdate", s.accounts.CreateGroup),

		"CreateUserPool":       decoded("UserPoolUpdate", false, s.createUserPool),
		"DescribeUserPool":     onPool(s, "UserPoolRead", s.describeUserPool),
		"UpdateUserPool":       decoded("UserPoolUpdate", false, s.updatePool),
		"DeleteUserPool":       onPool(s, "UserPoolUpdate", s.deleteUserPool),
		"ListUserPools":        decoded("UserPoolRead", false, s.listUserPools),
		"AddCustomAttributes":  onPool(s, "UserPoolUpdate", s.addCustomAttributes),
		"GetUserPoolMfaConfig": onPool(s, "UserPoolResourceRead", s.getMfaConfig),
		"SetUserPoolMfaConfig": onPool(s, "UserPoolResourceUpdate", s.setMfaConfig),

		"GetCSVHeader":          onPool(s, "UserPoolResourceRead", s.imports.Header),
		"CreateUserImportJob":   decoded("UserPoolResourceUpdate", false, s.createImportJob),
		"DescribeUserImportJob": onPool(s, "UserPoolResourceRead", s.imports.Describe),
		"ListUserImportJobs":    onPool(s, "UserPoolResourceRead", s.imports.List),
		"StartUserImportJob":    onPool(s, "UserPoolResourceUpdate", s.imports.Start),
		"StopUserImportJob":     onPool(s, "UserPoolResourceUpdate", s.imports.Stop),

		"CreateUserPoolClient":   onPool(s, "UserPoolClientUpdate", s.createUserPoolClient),
		"DescribeUserPoolClient": onPool(s, "UserPoolClientRead", s.describeUserPoolClient),
		"UpdateUserPoolClient":   onPool(s, "UserPoolClientUpdate", s.updateUserPoolClient),
		"DeleteUserPoolClient":   onPool(s, "UserPoolClientUpdate", s.deleteUserPoolClient),
		"ListUserPoolClients":    onPool(s, "UserPoolClientRead", s.listUserPoolClients),
	}
}
