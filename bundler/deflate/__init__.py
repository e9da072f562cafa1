"""Reference encoders of raw deflate in pure Python: the same bytes on every host, whatever library it has."""
