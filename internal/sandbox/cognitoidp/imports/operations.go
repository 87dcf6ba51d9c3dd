package imports

import (
	"context"
	"regexp"
	"slices"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/listing"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
)

// HeaderOutput is the answer of GetCSVHeader.
type HeaderOutput struct {
	UserPoolId string
	CSVHeader  []string
}

// Header is GetCSVHeader.
func (*Jobs) Header(_ context.Context, p *pool.Pool, _ account.OfPool) (any, error) {
	return HeaderOutput{p.ID, Header(p.State().Schema)}, nil
}

// CreateInput is the input of CreateUserImportJob.
type CreateInput struct {
	account.OfPool
	JobName                  string
	CloudWatchLogsRoleArn    string
	PasswordHashingAlgorithm string
}

var (
	nameShape = regexp.MustCompile(`^[\w\s+=,.@-]{1,128}$`)
	roleShape = regexp.MustCompile(`^arn:[\w+=/,.@-]+:iam:[\w+=/,.@-]*:[0-9]{12}:role/[\w+=/,.@-]+$`)
	idShape   = regexp.MustCompile(`^import-[0-9a-zA-Z-]{1,48}$`)
)

// Create is CreateUserImportJob. The caller must be allowed to pass the role.
func (j *Jobs) Create(call *wire.Call, p *pool.Pool, in CreateInput) (any, error) {
	switch {
	case !nameShape.MatchString(in.JobName):
		return nil, pool.Constraint("jobName", `satisfy regular expression pattern: [\w\s+=,.@-]+`)
	case !roleShape.MatchString(in.CloudWatchLogsRoleArn):
		return nil, pool.Constraint("cloudWatchLogsRoleArn", "satisfy regular expression pattern: arn:...")
	case in.PasswordHashingAlgorithm != "":
		return nil, wire.Unsupported("parameter", "PasswordHashingAlgorithm")
	}
	if err := call.Authorize("iam:PassRole", in.CloudWatchLogsRoleArn); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.byPool[p.ID]) >= mostJobs {
		return nil, pool.Fail("LimitExceededException", "The user pool has reached its limit of %d user import jobs", mostJobs)
	}
	a := &job{id: "import-" + p.Random().Text(10), name: in.JobName, role: in.CloudWatchLogsRoleArn, pool: p, created: j.now(),
		state: stateCreated, counts: map[verdict]int{}}
	j.byPool[p.ID] = append(j.byPool[p.ID], a)
	return j.describe(a), nil
}

// OfJob is the input of operations on a job.
type OfJob struct {
	account.OfPool
	JobId string
}

// on runs an operation on the job that its input names.
func (j *Jobs) on(p *pool.Pool, in OfJob, run func(*job) error) (any, error) {
	if !idShape.MatchString(in.JobId) {
		return nil, pool.Constraint("jobId", "satisfy regular expression pattern: import-[0-9a-zA-Z-]+")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	a, err := j.find(p, in.JobId)
	if err != nil {
		return nil, err
	}
	if err := run(a); err != nil {
		return nil, err
	}
	return j.describe(a), nil
}

// Describe is DescribeUserImportJob.
func (j *Jobs) Describe(_ context.Context, p *pool.Pool, in OfJob) (any, error) {
	return j.on(p, in, func(*job) error { return nil })
}

// Start is StartUserImportJob.
func (j *Jobs) Start(_ context.Context, p *pool.Pool, in OfJob) (any, error) {
	return j.on(p, in, j.begin)
}

// Stop is StopUserImportJob. Rows that were imported stay.
func (j *Jobs) Stop(_ context.Context, p *pool.Pool, in OfJob) (any, error) {
	return j.on(p, in, func(a *job) error {
		if a.state != statePending && a.state != stateInProgress {
			return pool.Fail("PreconditionNotMetException", "User import job %s cannot be stopped: its status is %s", a.id, a.state)
		}
		a.state = stateStopping
		return nil
	})
}

// ListInput is the input of ListUserImportJobs.
type ListInput struct {
	account.OfPool
	MaxResults      *int
	PaginationToken string
}

// ListOutput is the answer of ListUserImportJobs.
type ListOutput struct {
	UserImportJobs  []jobType
	PaginationToken string `json:",omitempty"`
}

// List is ListUserImportJobs: the last job first.
func (j *Jobs) List(_ context.Context, p *pool.Pool, in ListInput) (any, error) {
	if in.MaxResults == nil {
		return nil, pool.Constraint("maxResults", "not be null")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.byPool[p.ID])
	slices.Reverse(all)
	page, next, err := listing.Slice(j.lists, "ListUserImportJobs "+p.ID, all, in.MaxResults, in.PaginationToken, func(a *job) string { return a.id })
	if err != nil {
		return nil, err
	}
	out := ListOutput{UserImportJobs: []jobType{}, PaginationToken: next}
	for _, a := range page {
		a.expire(j.now())
		out.UserImportJobs = append(out.UserImportJobs, j.describe(a).UserImportJob)
	}
	return out, nil
}

// jobType is UserImportJobType.
type jobType struct {
	JobName               string
	JobId                 string
	UserPoolId            string
	PreSignedUrl          string
	CreationDate          account.Seconds
	StartDate             *account.Seconds `json:",omitempty"`
	CompletionDate        *account.Seconds `json:",omitempty"`
	Status                string
	CloudWatchLogsRoleArn string
	ImportedUsers         int
	SkippedUsers          int
	FailedUsers           int
	CompletionMessage     string `json:",omitempty"`
}

type oneJob struct {
	UserImportJob jobType
}

// describe shows a job; j.mu is held.
func (j *Jobs) describe(a *job) oneJob {
	out := jobType{JobName: a.name, JobId: a.id, UserPoolId: a.pool.ID, PreSignedUrl: j.url(a), CreationDate: account.Seconds(a.created),
		Status: a.state, CloudWatchLogsRoleArn: a.role, CompletionMessage: a.message,
		ImportedUsers: a.counts[succeeded], SkippedUsers: a.counts[skipped], FailedUsers: a.counts[failed]}
	if !a.started.IsZero() {
		out.StartDate = new(account.Seconds(a.started))
	}
	if !a.completed.IsZero() {
		out.CompletionDate = new(account.Seconds(a.completed))
	}
	return oneJob{out}
}
