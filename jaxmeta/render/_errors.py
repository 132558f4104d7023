"""What goes wrong with pictures."""


class PictureError(RuntimeError):
    """A picture cannot be drawn on this machine; the text says what to install.

    Example:
        >>> from jaxmeta.render import PictureError
        >>> issubclass(PictureError, RuntimeError)
        True
    """
