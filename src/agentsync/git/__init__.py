"""Everything that asks git: processes, mirrors, signatures."""
