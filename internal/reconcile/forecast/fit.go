package forecast

import (
	"math"
	"slices"
)

// fit is a rate that decays exponentially: e^(level - decay·t) moves per day, t
// days after the last point. A constant rate has a decay of 0. The variances are
// those of the estimates.
type fit struct {
	level, decay               float64
	varLevel, varDecay, covary float64
	deviance, scatter          float64 // scatter: how much more the counts vary than by chance, at least 1
}

// rate is the rate at the last point.
func (f fit) rate() float64 { return math.Exp(f.level) }

// constantFit fits a constant rate to bins, of which some have moves.
func constantFit(bins []bin) fit {
	var moved, width float64
	for _, b := range bins {
		moved += b.moved
		width += b.width
	}
	f := fit{level: math.Log(moved / width)}
	f.measure(bins, 1)
	f.varLevel = f.scatter / moved
	return f
}

// decayFit fits a decaying rate by weighted least squares, the weights those of
// counts (Poisson), repeated until nothing changes: Newton's method on the
// likelihood, since counts of zero have no logarithm. It starts from a constant
// rate and is not ok where it comes to nothing.
func decayFit(bins []bin, from fit) (f fit, ok bool) {
	f = fit{level: from.level, deviance: from.deviance}
	var weights, weighted, squares float64
	for range 200 {
		weights, weighted, squares = 0, 0, 0
		var slopeLevel, slopeDecay float64
		for _, b := range bins {
			expected, slope := f.expected(b)
			weights += expected
			weighted += expected * slope
			squares += expected * slope * slope
			slopeLevel += b.moved - expected
			slopeDecay += (b.moved - expected) * slope
		}
		det := weights*squares - weighted*weighted
		if !(det > 1e-12*weights*squares) {
			return fit{}, false
		}
		stepLevel := (squares*slopeLevel - weighted*slopeDecay) / det
		stepDecay := (weights*slopeDecay - weighted*slopeLevel) / det
		next := f
		for scale := 1.0; ; scale /= 2 {
			next.level, next.decay = f.level+scale*stepLevel, f.decay+scale*stepDecay
			if next.measure(bins, 2); next.deviance <= f.deviance {
				break
			}
			if scale < 1e-6 {
				next = f
				break
			}
		}
		done := math.Abs(next.level-f.level) < 1e-10 && math.Abs(next.decay-f.decay) < 1e-12
		f = next
		if done {
			break
		}
	}
	f.measure(bins, 2)
	det := weights*squares - weighted*weighted
	f.varLevel, f.varDecay, f.covary = f.scatter*squares/det, f.scatter*weights/det, -f.scatter*weighted/det
	return f, true
}

// expected returns how many moves the fit has for a bin, and how the logarithm of
// that changes with the decay. The rate is integrated over the bin.
func (f fit) expected(b bin) (moved, slope float64) {
	x := f.decay * b.width / 2
	spread, lean := 1.0, x/3 // sinh(x)/x and the change of its logarithm
	if math.Abs(x) > 1e-4 {
		spread, lean = math.Sinh(x)/x, 1/math.Tanh(x)-1/x
	}
	return math.Exp(f.level-f.decay*b.middle()) * b.width * spread, lean*b.width/2 - b.middle()
}

// measure sets deviance and scatter.
func (f *fit) measure(bins []bin, parameters int) {
	var squares float64
	f.deviance = 0
	for _, b := range bins {
		expected, _ := f.expected(b)
		if math.IsNaN(expected) || math.IsInf(expected, 0) {
			f.deviance = math.Inf(1)
			return
		}
		expected = max(expected, 1e-12)
		f.deviance += 2 * (expected - b.moved)
		if b.moved > 0 {
			f.deviance += 2 * b.moved * math.Log(b.moved/expected)
		}
		squares += (b.moved - expected) * (b.moved - expected) / expected
	}
	f.scatter = max(1, squares/float64(max(1, len(bins)-parameters)))
}

// leastBins is how many bins it takes to tell decay from chance.
const leastBins = 4

// choose returns the decaying rate where the evidence is for it, and otherwise
// the constant one. The evidence is the fall of the deviance over the scatter,
// of which chance alone exceeds the bound in less than one case of twenty (an F
// test; the bound is a little above the quantile).
func choose(bins []bin, constant fit) fit {
	if len(bins) < leastBins {
		return constant
	}
	f, ok := decayFit(bins, constant)
	bound := 3.84 + 30/float64(len(bins)-2)
	if !ok || f.decay <= 0 || !((constant.deviance-f.deviance)/f.scatter > bound) {
		return constant
	}
	return f
}

// until returns after how many days fewer than half a user of so many is left;
// infinity where that never happens.
func (f fit) until(pending int) float64 {
	return reach(f.level, f.decay, float64(pending)-0.5)
}

func reach(level, decay, moves float64) float64 {
	days := moves / math.Exp(level)
	if part := decay * days; part > 1e-9 {
		if part >= 1 {
			return math.Inf(1)
		}
		return -math.Log1p(-part) / decay
	}
	return days
}

// left returns how many of so many are left after a time.
func (f fit) left(pending int, days float64) float64 {
	moved := f.rate() * days
	if part := f.decay * days; part > 1e-9 {
		moved = f.rate() * -math.Expm1(-part) / f.decay
	}
	return max(0, float64(pending)-moved)
}

// between returns until at the ends of the middle 80 % of what the parameters may
// be: both are normal, and taken at evenly likely values.
func (f fit) between(pending int) (least, most float64) {
	const steps = 41
	var normal [steps]float64
	for i := range normal {
		normal[i] = math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/steps-1)
	}
	sdLevel := math.Sqrt(f.varLevel)
	lean, rest := 0.0, 0.0
	if sdLevel > 0 {
		lean = f.covary / sdLevel
		rest = math.Sqrt(max(0, f.varDecay-lean*lean))
	}
	times := make([]float64, 0, steps*steps)
	for _, z := range normal {
		for _, y := range normal {
			times = append(times, reach(f.level+sdLevel*z, max(0, f.decay+lean*z+rest*y), float64(pending)-0.5))
			if rest == 0 {
				break
			}
		}
	}
	slices.Sort(times)
	return times[len(times)/10], times[len(times)*9/10]
}
