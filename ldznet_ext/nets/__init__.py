"""The trained heads and the SD-shaped UNet they are made of. Import from the modules: `nets.heads` builds any head."""
