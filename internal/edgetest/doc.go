// Package edgetest tests the clients of all providers over real sockets, against HTTP/1.1 and HTTP/2 as net/http speaks them,
// with their own transport. Package refundtest has everything that needs no socket.
package edgetest
