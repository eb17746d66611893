"""What a mask leaves behind: its recipe, the files a person may want of it, and their names."""
