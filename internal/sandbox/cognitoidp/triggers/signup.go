package triggers

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"poolferry/internal/sandbox/wire"
)

// NoClient is the clientId of events that an administrator's call causes.
const NoClient = "CLIENT_ID_NOT_APPLICABLE"

// The sources of the pre sign-up trigger.
const (
	SourceSignUp      = "PreSignUp_SignUp"
	SourceAdminCreate = "PreSignUp_AdminCreateUser"
)

// The sources of the post confirmation trigger.
const (
	SourceConfirmSignUp = "PostConfirmation_ConfirmSignUp"
	SourceConfirmForgot = "PostConfirmation_ConfirmForgotPassword"
)

// SignUp is what a pre sign-up trigger decides about a new user.
type SignUp struct {
	Confirm, VerifyEmail, VerifyPhone bool
}

// PreSignUp asks the trigger whether a user may be created. attributes are those
// that were given.
func (r *Runner) PreSignUp(ctx context.Context, arn, source string, c Context, attributes, validationData, metadata map[string]string) (SignUp, error) {
	if attributes == nil {
		attributes = map[string]string{}
	}
	request := map[string]any{"userAttributes": attributes, "validationData": orNull(validationData)}
	if len(metadata) > 0 {
		request["clientMetadata"] = metadata
	}
	members, err := r.run(ctx, arn, newEvent(c, source, request,
		map[string]bool{"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false}), false)
	if err != nil {
		return SignUp{}, asError("PreSignUp", err)
	}
	var out SignUp
	for _, name := range slices.Sorted(maps.Keys(members)) {
		to := map[string]*bool{"autoConfirmUser": &out.Confirm, "autoVerifyEmail": &out.VerifyEmail, "autoVerifyPhone": &out.VerifyPhone}[name]
		if to == nil {
			return SignUp{}, wire.Unsupported("response of PreSignUp", name)
		}
		if json.Unmarshal(members[name], to) != nil { // null changes nothing
			return SignUp{}, asError("PreSignUp", errMalformed)
		}
	}
	if err := out.check(attributes); err != nil && source == SourceSignUp {
		return SignUp{}, err
	}
	return out, nil
}

// check refuses to verify what the user does not have. The guide says that it is
// an error and not which.
func (s SignUp) check(attributes map[string]string) error {
	for name, verify := range map[string]bool{"email": s.VerifyEmail, "phone_number": s.VerifyPhone} {
		if verify && attributes[name] == "" {
			return wire.Errorf(http.StatusBadRequest, "InvalidLambdaResponseException", "Cannot auto verify the attribute %s, which has no value", name)
		}
	}
	return nil
}

// PostConfirmation tells the trigger that a user was confirmed, or has reset a
// password. It is too late to refuse: the user stays confirmed.
func (r *Runner) PostConfirmation(ctx context.Context, arn, source string, c Context, attributes, metadata map[string]string) error {
	request := map[string]any{"userAttributes": attributes}
	if len(metadata) > 0 {
		request["clientMetadata"] = metadata
	}
	_, err := r.run(ctx, arn, newEvent(c, source, request, struct{}{}), false)
	return asError("PostConfirmation", err)
}
