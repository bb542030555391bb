package journal

import "github.com/multirefund/refund-go/refund"

// keepAbilities adds to c the optional abilities that r has: a type assertion on the result must say the same.
func keepAbilities(c *client, r refund.Refunder) refund.Refunder {
	g, isGetter := r.(refund.Getter)
	l, isLister := r.(refund.Lister)
	x, isCanceler := r.(refund.Canceler)
	switch {
	case isGetter && isLister && isCanceler:
		return struct {
			*client
			refund.Getter
			refund.Lister
			refund.Canceler
		}{c, g, l, x}
	case isGetter && isLister:
		return struct {
			*client
			refund.Getter
			refund.Lister
		}{c, g, l}
	case isGetter && isCanceler:
		return struct {
			*client
			refund.Getter
			refund.Canceler
		}{c, g, x}
	case isLister && isCanceler:
		return struct {
			*client
			refund.Lister
			refund.Canceler
		}{c, l, x}
	case isGetter:
		return struct {
			*client
			refund.Getter
		}{c, g}
	case isLister:
		return struct {
			*client
			refund.Lister
		}{c, l}
	case isCanceler:
		return struct {
			*client
			refund.Canceler
		}{c, x}
	}
	return c
}
