package cognitoidp_test

import (
	"testing"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

func TestPasswordSignIn(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	legacy, hides := w.client(p), w.client(p, hiding)
	for _, u := range []cognitoidp.UserSpec{
		{Username: "ada", Password: secret("right")},
		{Username: "off", Password: secret("right"), Disabled: true},
		{Username: "new", Password: secret("right"), Status: userpool.StatusUnconfirmed},
		{Username: "reset", Password: secret("right"), Status: userpool.StatusResetRequired},
		{Username: "imported", Status: userpool.StatusResetRequired},
		{Username: "google_1", Status: userpool.StatusExternalProvider},
	} {
		w.user(p, u)
	}
	const wrong = "NotAuthorizedException: Incorrect username or password."
	for _, c := range []struct{ name, password, legacy, hides string }{
		{"ada", "right", "", ""},
		{"ada", "wrong", wrong, wrong},
		{"nobody", "right", "UserNotFoundException: User does not exist.", wrong},
		{"off", "right", "NotAuthorizedException: User is disabled.", "NotAuthorizedException: User is disabled."},
		{"off", "wrong", wrong, wrong},
		{"new", "right", "UserNotConfirmedException", "UserNotConfirmedException"},
		{"new", "wrong", wrong, wrong},
		{"reset", "right", "PasswordResetRequiredException", "PasswordResetRequiredException"},
		{"reset", "wrong", wrong, wrong},
		{"imported", "any", "PasswordResetRequiredException", wrong},
		{"google_1", "any", wrong, wrong},
		{"ADA", "right", "UserNotFoundException", wrong}, // case-sensitive unless the pool says otherwise
	} {
		_, err := w.signIn(legacy.ID, c.name, c.password)
		t.Run(c.name+"/"+c.password+"/legacy", func(t *testing.T) { wants(t, err, c.legacy) })
		_, err = w.signIn(hides.ID, c.name, c.password)
		t.Run(c.name+"/"+c.password+"/hides", func(t *testing.T) { wants(t, err, c.hides) })
	}
}
