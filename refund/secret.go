package refund

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential that no formatting, logging or marshalling prints. The zero value is empty.
// Safe for concurrent use.
type Secret struct {
	// A closure, because fmt and the dumpers of test libraries reach into unexported strings and pointers.
	reveal func() string
}

// NewSecret wraps a credential.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return value }}
}

// Reveal returns the credential.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Format prints [redacted] for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted) //nolint:errcheck // fmt reports it to whoever called fmt
}

// String returns [redacted].
func (s Secret) String() string { return redacted }

// LogValue returns [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText fails unless the secret is empty: a placeholder that is read back would be a credential.
func (s Secret) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return []byte{}, nil
	}
	return nil, errors.New("refund: a Secret cannot be marshalled")
}

// UnmarshalText reads a credential, so that a Secret can be a field of your own configuration file. What a Secret prints as is
// refused: somebody has written a redacted configuration back.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return errors.New("refund: the secret is only what a Secret prints as; the credential itself is lost")
	}
	*s = NewSecret(string(text))
	return nil
}
