"""Everything that runs git: processes, mirrors, signatures."""
