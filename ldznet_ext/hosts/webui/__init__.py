"""Inside a web UI (A1111, Forge, reForge): the model it has loaded, its generations, its panel's desk, its routes."""
