"""What an agent is and may do, whatever tool it is for."""
