"""Recording a platform, and replaying the recording."""
