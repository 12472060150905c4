"""The storage behind signed URLs."""
