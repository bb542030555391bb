package refund

// As finds an optional ability of r, such as Getter or Resolver: T is r itself, or what r.Unwrap() leads to. It is to
// Refunders what errors.As is to errors.
//
//	if getter, ok := refund.As[refund.Getter](client); ok { ... }
//
// A wrapper (tracing, limits, your own) keeps every ability of what it wraps by having a method
//
//	Unwrap() refund.Refunder
//
// Reads may be reached through Unwrap. What can change money (Refund, Resolve, CancelRefund) a wrapper that guards must
// implement itself, because As would lead around it.
func As[T any](r Refunder) (T, bool) {
	for {
		if ability, ok := r.(T); ok {
			return ability, true
		}
		wrapper, ok := r.(interface{ Unwrap() Refunder })
		if !ok {
			var none T
			return none, false
		}
		r = wrapper.Unwrap()
	}
}

// CheckAbilities returns an *Error that names the first ability that r's Capabilities have and As does not find, or nil. It is for
// tests of a wrapper; journal.Wrap asks it of every client.
func CheckAbilities(r Refunder) error {
	caps := r.Capabilities()
	for _, ability := range []struct {
		claim, name string
		claimed     bool
		found       func() bool
	}{
		{"ResolvedBy", "Resolver", caps.ResolvedBy != ResolvedByPerson, finds[Resolver](r)},
		{"Reads", "Getter", caps.Reads, finds[Getter](r)},
		{"Lists", "Lister", caps.Lists != ListsNone, finds[Lister](r)},
		{"Cancels", "Canceler", caps.Cancels, finds[Canceler](r)},
		{"Snapshots", "Snapshotter", caps.Snapshots, finds[Snapshotter](r)},
	} {
		if ability.claimed && !ability.found() {
			err := invalid("Capabilities."+ability.claim, "needs a %s, and refund.As finds none: a wrapper that hides abilities needs a method Unwrap() refund.Refunder", ability.name)
			err.Provider, err.Account = caps.Provider, caps.Account
			return err
		}
	}
	return nil
}

func finds[T any](r Refunder) func() bool {
	return func() bool {
		_, ok := As[T](r)
		return ok
	}
}
