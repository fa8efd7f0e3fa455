package scoring

// OnLoad has f told of every document that is loaded.
func OnLoad(f func(document []byte)) { onLoad = f }
