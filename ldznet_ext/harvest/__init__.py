"""Reading a UNet we do not own: `taps` names places, `locate` finds them, `hooks` and `sampling` read them."""
