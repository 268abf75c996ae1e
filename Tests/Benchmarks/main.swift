import Transport

// gatehouse-benchmarks              times every benchmark and prints a table
// gatehouse-benchmarks NAME TIMES   does one so often and prints nothing: for counting its instructions
// gatehouse-benchmarks --pure       prints the names whose instructions can be counted

let benchmarks = HTTPBenchmarks.all + PolicyBenchmarks.all
let arguments = CommandLine.arguments.dropFirst()

func padded(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(width - text.count, 0)) + text }

func tenths(_ value: Double) -> String {
    let scaled = Int((value * 10).rounded())
    return "\(scaled / 10).\(scaled % 10)"
}

switch arguments.count {
case 0:
    print("benchmark              ns       MB/s")
    for benchmark in benchmarks {
        let nanoseconds = benchmark.time()
        let rate = benchmark.bytes > 0 ? "\(Int(Double(benchmark.bytes) / nanoseconds * 1_000))" : ""
        print(
            benchmark.name + padded(tenths(nanoseconds), 25 - benchmark.name.count) + padded(rate, 11))
    }
case 1 where arguments.first == "--pure":
    for benchmark in benchmarks where benchmark.isPure { print(benchmark.name) }
case 2:
    guard let benchmark = benchmarks.first(where: { $0.name == arguments.first }),
        let times = arguments.last.flatMap({ Int($0) })
    else { fatalError("usage: gatehouse-benchmarks [NAME TIMES | --pure]") }
    withExtendedLifetime(benchmark.prepare()(times)) {}
default: fatalError("usage: gatehouse-benchmarks [NAME TIMES | --pure]")
}
