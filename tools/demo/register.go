package demo

import (
	"fmt"

	"poolferry/internal/cognito"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
)

// squatted says under whose address a stranger tries to register: one of those
// who can move and have not come yet.
func squatted(p crowd.Person) bool {
	return wave(p) == 2 && p.Migrates() && p.User.Attributes.Verified(userpool.AttrEmail) && p.Index%20 == 4
}

// register has strangers take addresses of people who have not moved yet, which
// they must not get, and somebody register who is nobody's double.
func (d *demo) register() {
	newcomer := d.world.People[0]
	d.signUp(newcomer, "newcomer@example.net", true)
	for _, p := range d.world.People {
		if squatted(p) && d.ctx.Err() == nil {
			d.signUp(p, p.User.Attributes[userpool.AttrEmail], false)
		}
	}
}

// signUp registers under an address with a fresh password.
func (d *demo) signUp(p crowd.Person, address string, welcome bool) {
	name := address
	if d.options.Shape != crowd.UsernameAttributes {
		name = fmt.Sprintf("stranger-%d", p.Index) // an alias pool takes no addresses for usernames
	}
	err := d.app.SignUp(d.ctx, name, p.Fresh, userpool.Attributes{userpool.AttrEmail: address})
	switch code := cognito.Code(err); {
	case d.ctx.Err() != nil:
	case err == nil && welcome:
		d.signUps.Allowed++
		d.own++
	case code == "UserLambdaValidationException" && !welcome:
		d.signUps.Refused++
	case err == nil: // whatever has failed meanwhile
		d.own++
		d.tally.surprise(fmt.Sprintf("registration %d: a stranger has the address of somebody who is still to come", p.Index))
	case d.options.Faults != "": // the guard, or Cognito, could not be asked
	default:
		d.tally.surprise(fmt.Sprintf("registration %d: welcome: %v, Cognito said %q", p.Index, welcome, code))
	}
}
