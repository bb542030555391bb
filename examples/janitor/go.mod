module github.com/multirefund/refund-go/examples/janitor

go 1.25.0

require (
	github.com/multirefund/refund-go v0.1.0
	github.com/multirefund/refund-go/refund/journal/sqlstore v0.1.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/shopspring/decimal v1.6.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace (
	github.com/multirefund/refund-go => ../..
	github.com/multirefund/refund-go/refund/journal/sqlstore => ../../refund/journal/sqlstore
)
