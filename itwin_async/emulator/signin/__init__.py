"""The sign-in server: applications, tokens and pages."""
