// Package cognito speaks to Amazon Cognito user pools through aws-sdk-go-v2. It
// is the only place that knows the SDK's exceptions: callers get standings of
// package trigger and error kinds of package fault.
//
// Vocabulary: an Account is the AWS credentials and endpoint that calls are
// made with; Source is the old pool through its login role; Target is the new
// pool's description; Directory is a pool as the export role may read it, and
// Listing the same, page by page; App is an app client as the people's own app
// uses it; Importer is the target pool as a place to import users to, Settler as
// one whose users are changed. What preflight reads besides is here, too: a Survey
// is a pool with all its settings, a Trial what the trigger's roles let it do,
// Functions are those that pools name as triggers.
package cognito
