"""Tests: unit, integration, acceptance and over the corpus."""

# Machines that decide over a change may be slow and shared: whatever is waited for may take so much longer than on two
# cores of one's own. What promises a time is measured by itself.
PATIENCE = 4
