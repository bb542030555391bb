// Package repotest holds tests of what no linter can say about the repository: that all providers have the same rooms in
// the same order, and that the Markdown pages tell the truth. It has no code to import. What depends on what, what is
// documented and what is forbidden is in .golangci.yml.
package repotest
