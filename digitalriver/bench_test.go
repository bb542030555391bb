package digitalriver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
)

// BenchmarkList lists 100,000 refunds from canned pages. It reports its time against decoding the same pages alone
// (time-x-raw, the median of pairs, because machines are shared), and by how much the live heap grows on the way
// (peak-KB), beside the size of a page (page-KB).
func BenchmarkList(b *testing.B) {
	const pages, size = 1000, 100
	bodies := cannedPages(pages, size)
	next := 0
	client := newClient(b, roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := byPath{"/refunds": bodies[next%pages]}.RoundTrip(req)
		next++
		return resp, err
	}))
	list := func(visit func(n int)) {
		next = 0
		n := 0
		for _, err := range client.ListRefunds(b.Context(), digitalriver.RefundFilter{}) {
			require.NoError(b, err)
			n++
			visit(n)
		}
		require.Equal(b, pages*size, n)
	}
	raw := func() {
		for _, body := range bodies {
			var page struct {
				HasMore bool                   `json:"hasMore"`
				Data    []*digitalriver.Refund `json:"data"`
			}
			require.NoError(b, json.Unmarshal([]byte(body), &page))
			require.Len(b, page.Data, size)
		}
	}
	took := func(f func()) time.Duration {
		began := time.Now()
		f()
		return time.Since(began)
	}
	var ratios []int64 // in thousandths
	b.ReportAllocs()
	for b.Loop() {
		listed := took(func() { list(func(int) {}) })
		b.StopTimer()
		ratios = append(ratios, 1000*listed.Nanoseconds()/took(raw).Nanoseconds())
		b.StartTimer()
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(float64(ratios[len(ratios)/2])/1000, "time-x-raw")

	before := heap()
	peak := before
	list(func(n int) {
		if n%(10*size) == size/2 { // in the middle of every tenth page
			peak = max(peak, heap())
		}
	})
	b.ReportMetric(float64(peak-before)/1024, "peak-KB")
	b.ReportMetric(float64(len(bodies[0]))/1024, "page-KB")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cannedPages are pages of refunds with all the members of the reference page.
func cannedPages(pages, size int) []string {
	var bodies []string
	for p := range pages {
		var b strings.Builder
		fmt.Fprintf(&b, `{"hasMore":%v,"data":[`, p < pages-1)
		for i := range size {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":"re_%032d","createdTime":"2025-05-09T06:13:00.679Z","orderId":"190214700336","invoiceId":"5823594809",
"currency":"USD","type":"shipping","amount":9.99,"refundedAmount":9.99,"items":[{"type":"shipping","itemId":"63734160336",
"skuId":"sku_9234276173","quantity":1,"amount":5.95}],"reason":"requested_by_customer","state":"succeeded","liveMode":false,
"charges":[{"id":"c5b02ace-115d-4433-8841-8165d4c927a8","captured":true,"refunded":true,"refunds":[{"createdTime":
"2025-05-09T06:13:00.679Z","amount":9.99,"state":"complete"}],"sourceId":"376e6777-d92b-4d35-a460-44f29327a18e"}],
"metadata":{"coupon":"iOS","idempotency_key":"0196b3c1-7d2e-7c3a-9f10-8a55e2b7c9d1"}}`, p*size+i)
		}
		b.WriteString("]}")
		bodies = append(bodies, b.String())
	}
	return bodies
}
