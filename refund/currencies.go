package refund

// Currencies returns the ISO 4217 codes that Money knows, in alphabetical order.
func Currencies() []string {
	var all []string
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, a := range letters {
		for _, b := range letters {
			for _, c := range letters {
				if code := string([]rune{a, b, c}); known(code) {
					all = append(all, code)
				}
			}
		}
	}
	return all
}

// Decimals returns how many decimals amounts of a currency have, and false for a code that Money does not know.
func Decimals(currency string) (int, bool) { return minorUnits(currency) }

func known(currency string) bool {
	_, ok := minorUnits(currency)
	return ok
}

// minorUnits returns how many decimals the currency has, and false for a code that is not in the table.
//
// The table is ISO 4217 list one as published on 2024-06-25 by SIX, its maintenance agency (the copy in the
// npm package currency-codes 2.2.0), and two later additions taken from the currency data of OpenJDK 25.0.3
// (data version 180, April 2026): XCG, which replaced ANG, and XAD. The two sources agree on the decimals of
// every code that both have; UYW is in the list alone.
//
// Left out: the codes whose minor unit is "N.A.", because no amount of them can be written down exactly (XAG,
// XAU, XBA, XBB, XBC, XBD, XDR, XPD, XPT, XSU, XTS, XUA, XXX), and those withdrawn before the list (HRK, SLL,
// ZWL). ANG and BGN are kept: the list has them, the currency data has since moved their countries to XCG and
// EUR, and orders from before may still be refunded.
//
// A switch, and not a map, because it needs no package state and no allocation.
func minorUnits(code string) (digits int, ok bool) {
	switch code {
	case "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN",
		"BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF",
		"CHW", "CNY", "COP", "COU", "CRC", "CUC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN",
		"ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG",
		"HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP",
		"LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK",
		"MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP",
		"PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
		"SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD",
		"TZS", "UAH", "USD", "USN", "UYU", "UZS", "VED", "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR",
		"ZMW", "ZWG":
		return 2, true
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
		"XAF", "XOF", "XPF":
		return 0, true
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3, true
	case "CLF", "UYW":
		return 4, true
	}
	return 0, false
}
