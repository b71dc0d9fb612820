"""The coded step at a start: does it find a reversed grid meter, and measure the path delay?"""
