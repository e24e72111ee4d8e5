// Modules whose resources the chart makes objects of: nothing of them is built.
module causeway/resources

go 1.26.0

require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.5.1
)
