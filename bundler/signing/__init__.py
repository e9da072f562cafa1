"""Signatures (OpenSSH's SSHSIG) and who is trusted to make them."""
