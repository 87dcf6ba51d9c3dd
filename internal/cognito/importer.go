package cognito

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/fault"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

// importAttempts is how often a call about jobs is tried: each operation is
// limited to five requests per second and pool.
const importAttempts = 6

// uploadTimeout bounds the upload of a file, of ninety megabytes at most.
const uploadTimeout = 10 * time.Minute

// jobsPage is how many jobs are listed at a time.
const jobsPage = 60

// Importer is the target pool as a place to import users to, with the log of its
// jobs.
type Importer struct {
	client *cip.Client
	logs   *cloudwatchlogs.Client
	upload *http.Client
	poolID string
}

var _ tail.Pool = (*Importer)(nil)

// NewImporter returns a pool of the account. No call is made.
func NewImporter(account *Account, region, poolID string) *Importer {
	cfg := account.assume(Role{}, region)
	cfg.RetryMaxAttempts = importAttempts
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(listTimeout)
	return &Importer{client: newClient(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), upload: &http.Client{Timeout: uploadTimeout}, poolID: poolID}
}

// Settings reads what imports go by.
func (i *Importer) Settings(ctx context.Context) (tail.Settings, error) {
	out, err := i.client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &i.poolID})
	if err != nil {
		return tail.Settings{}, classify(fmt.Errorf("describe pool %s: %w", i.poolID, err))
	}
	if out.UserPool == nil {
		return tail.Settings{}, fault.New(fault.Unavailable, "describe pool %s: empty answer", i.poolID)
	}
	header, err := i.Header(ctx)
	if err != nil {
		return tail.Settings{}, err
	}
	s := tail.Settings{
		Name: aws.ToString(out.UserPool.Name), Header: header, Recovery: recoveryOf(out.UserPool.AccountRecoverySetting),
		DefaultEmail: out.UserPool.EmailConfiguration == nil || out.UserPool.EmailConfiguration.EmailSendingAccount != types.EmailSendingAccountTypeDeveloper,
	}
	for _, attribute := range out.UserPool.AutoVerifiedAttributes {
		s.AutoVerified = append(s.AutoVerified, string(attribute))
	}
	return s, nil
}

// Header returns the columns that a file must have.
func (i *Importer) Header(ctx context.Context) ([]string, error) {
	out, err := i.client.GetCSVHeader(ctx, &cip.GetCSVHeaderInput{UserPoolId: &i.poolID})
	if err != nil {
		return nil, classify(fmt.Errorf("ask for the columns of pool %s: %w", i.poolID, err))
	}
	if len(out.CSVHeader) == 0 {
		return nil, fault.New(fault.Unavailable, "ask for the columns of pool %s: empty answer", i.poolID)
	}
	return out.CSVHeader, nil
}

// recoveryOf lists where codes are sent, the preferred first. A pool that says
// nothing prefers the phone (Cognito API reference, AccountRecoverySettingType).
func recoveryOf(setting *types.AccountRecoverySettingType) (attributes []string) {
	if setting == nil {
		return []string{userpool.AttrPhoneNumber, userpool.AttrEmail}
	}
	options := slices.SortedFunc(slices.Values(setting.RecoveryMechanisms), func(a, b types.RecoveryOptionType) int {
		return cmp.Compare(aws.ToInt32(a.Priority), aws.ToInt32(b.Priority))
	})
	for _, option := range options {
		switch option.Name {
		case types.RecoveryOptionNameTypeVerifiedEmail:
			attributes = append(attributes, userpool.AttrEmail)
		case types.RecoveryOptionNameTypeVerifiedPhoneNumber:
			attributes = append(attributes, userpool.AttrPhoneNumber)
		}
	}
	return attributes
}

// Jobs yields the pool's import jobs, the last first.
func (i *Importer) Jobs(ctx context.Context) iter.Seq2[tail.Job, error] {
	return func(yield func(tail.Job, error) bool) {
		in := &cip.ListUserImportJobsInput{UserPoolId: &i.poolID, MaxResults: aws.Int32(jobsPage)}
		for {
			out, err := i.client.ListUserImportJobs(ctx, in)
			if err != nil {
				yield(tail.Job{}, classify(fmt.Errorf("list import jobs of pool %s: %w", i.poolID, err)))
				return
			}
			for _, job := range out.UserImportJobs {
				if !yield(jobOf(&job), nil) {
					return
				}
			}
			if aws.ToString(out.PaginationToken) == "" {
				return
			}
			in.PaginationToken = out.PaginationToken
		}
	}
}

// CreateJob creates a job, which waits for its file.
func (i *Importer) CreateJob(ctx context.Context, name, roleARN string) (tail.Job, error) {
	out, err := i.client.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &i.poolID, JobName: &name, CloudWatchLogsRoleArn: &roleARN})
	if err != nil {
		return tail.Job{}, classify(fmt.Errorf("create import job %s of pool %s: %w", name, i.poolID, err))
	}
	return i.answered("create", name, out.UserImportJob)
}

// Job returns a job as it is now. The error is of kind fault.NotFound where there
// is none.
func (i *Importer) Job(ctx context.Context, id string) (tail.Job, error) {
	out, err := i.client.DescribeUserImportJob(ctx, &cip.DescribeUserImportJobInput{UserPoolId: &i.poolID, JobId: &id})
	if Code(err) == "ResourceNotFoundException" {
		return tail.Job{}, fault.New(fault.NotFound, "import job %s of pool %s: %w", id, i.poolID, err)
	}
	if err != nil {
		return tail.Job{}, classify(fmt.Errorf("describe import job %s of pool %s: %w", id, i.poolID, err))
	}
	return i.answered("describe", id, out.UserImportJob)
}

// StartJob starts a job. The error is of kind fault.Conflict where that cannot be
// now: another one of the account is active, or this one was started already.
func (i *Importer) StartJob(ctx context.Context, id string) (tail.Job, error) {
	out, err := i.client.StartUserImportJob(ctx, &cip.StartUserImportJobInput{UserPoolId: &i.poolID, JobId: &id})
	switch Code(err) {
	case "PreconditionNotMetException", "UserImportInProgressException":
		return tail.Job{}, fault.New(fault.Conflict, "start import job %s of pool %s: %w", id, i.poolID, err)
	}
	if err != nil {
		return tail.Job{}, classify(fmt.Errorf("start import job %s of pool %s: %w", id, i.poolID, err))
	}
	return i.answered("start", id, out.UserImportJob)
}

func (i *Importer) answered(verb, job string, out *types.UserImportJobType) (tail.Job, error) {
	if out == nil || aws.ToString(out.JobId) == "" {
		return tail.Job{}, fault.New(fault.Unavailable, "%s import job %s of pool %s: empty answer", verb, job, i.poolID)
	}
	return jobOf(out), nil
}

func jobOf(out *types.UserImportJobType) tail.Job {
	return tail.Job{
		ID: aws.ToString(out.JobId), Name: aws.ToString(out.JobName), State: tail.JobState(out.Status),
		URL: userpool.NewSecret(aws.ToString(out.PreSignedUrl)), Message: aws.ToString(out.CompletionMessage),
		Imported: int(out.ImportedUsers), Skipped: int(out.SkippedUsers), Failed: int(out.FailedUsers),
	}
}

// Upload puts a file of so many bytes under a job's URL. Whoever has the URL may
// put a file there, so it is in no error.
func (i *Importer) Upload(ctx context.Context, to userpool.Secret, size int64, file io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, to.Reveal(), file)
	if err != nil {
		return fault.New(fault.Unavailable, "upload a file to pool %s: its URL is none", i.poolID)
	}
	request.ContentLength = size // S3 takes no body of unknown length
	request.Header.Set("x-amz-server-side-encryption", "aws:kms")
	answer, err := i.upload.Do(request)
	if err != nil {
		if told, ok := errors.AsType[*url.Error](err); ok {
			err = told.Err
		}
		return fault.New(fault.Unavailable, "upload a file to pool %s: %w", i.poolID, err)
	}
	defer answer.Body.Close() //nolint:errcheck // everything that is wanted was read
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return fault.New(uploadKind(answer.StatusCode), "upload a file to pool %s: S3 answers %d %s", i.poolID, answer.StatusCode, uploadCode(answer.Body))
}

// uploadKind says what can be done about an answer of S3's. A URL whose time is
// over is forbidden; so is one with the wrong signature.
func uploadKind(status int) fault.Kind {
	switch {
	case status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return fault.Throttled
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return fault.Unavailable
	}
	return fault.Invalid
}

// uploadCode is the code of an error of S3's. The rest of it quotes the request.
func uploadCode(body io.Reader) string {
	var said struct {
		Code string
	}
	if err := xml.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&said); err != nil || len(said.Code) > 64 {
		return ""
	}
	return said.Code
}
