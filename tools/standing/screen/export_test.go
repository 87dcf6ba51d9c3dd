package screen

// Sized has a live screen believe that the terminal has this size.
func (l *Live) Sized(width, height int) *Live {
	l.size = func() (int, int, error) { return width, height, nil }
	return l
}
