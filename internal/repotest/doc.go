// Package repotest holds tests about the repository itself: what depends on what, what is documented, and that the
// Markdown pages tell the truth. It has no code to import.
package repotest
