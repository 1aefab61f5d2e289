"""What is stale, and why; what would making it take? From stamps alone, without Prefect, numpy or torch.

`plan` compares every result's recipe with what it would be now, `estimate` says seconds and bytes, `arrivals` which
files in the sources are whole and new.
"""
