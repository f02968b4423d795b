"""The gRPC face: servicers, and what wraps every call."""
