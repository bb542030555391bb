package journal

import "time"

// SetWall gives a journal the wall clock of another machine.
func SetWall(j *Journal, wall func(time.Time) time.Time) { j.clock.wall = wall }
