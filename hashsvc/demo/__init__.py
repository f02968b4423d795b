"""`hashsvc demo`: the main job on harmless sample media, against a real server."""
